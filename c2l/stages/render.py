"""render: masks, overlays, a contact sheet and a report of what a predictor finds."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from c2l import __version__, schema
from c2l.artifacts.lineage import DATA, PREDICTOR, SCORES, as_json, source
from c2l.artifacts.outputs import claim, inputs_of, refuse_existing
from c2l.artifacts.runs import Run
from c2l.artifacts.scores import are_of, ranked, read_scores, require_alike, scores_of
from c2l.data.dataset import Dataset, open_images
from c2l.data.decoding import Skips, evenly, inputs_digest, read_in_batches
from c2l.data.labels import Merge
from c2l.data.masks import read_mask, resize_labels
from c2l.data.records import Record
from c2l.data.scoring_input import settle
from c2l.drawing.content import ReportContent, Rival, Tile
from c2l.drawing.masks import Legend, write_indexed_png, write_legend
from c2l.drawing.method_name import method_name
from c2l.drawing.overlay import overlay, reduced
from c2l.drawing.palette import colours_of, pascal_palette
from c2l.drawing.report import MOST_PHOTOS, write_report
from c2l.drawing.sheet import contact_sheet
from c2l.drawing.thumbnails import PHOTO_SIDE
from c2l.errors import BadInputError, UsageError
from c2l.export.annotations import write_exchange
from c2l.model.loading import load_predictor
from c2l.model.predictor import Predictor
from c2l.options import RenderOptions, recorded
from c2l.runtime.device import pick_device
from c2l.runtime.files import output_errors, replacing_folder, sha256_file, sha256_folder, unchanged
from c2l.runtime.pool import worker_count
from c2l.runtime.progress import console, progress
from c2l.runtime.threads import prepare_cpu
from c2l.scoring.ranking import best_median_worst

# Pixels of the longer side of a picture in the report and on the sheet.
PANEL = PHOTO_SIDE
SHEET_COLUMNS = 4
# Photos on a contact sheet, more go to the next: 2,600 by 3,400 pixels.
SHEET_PHOTOS = 48
TILE_WIDTH = 160
# A photo at the size of the network, and at its own.
Sized = tuple[Record, NDArray[np.uint8], NDArray[np.uint8], str]
# A photo and its mask.
Drawn = tuple[Record, Path]
T = TypeVar("T")


def plan(artifact: Path, images: Path, options: RenderOptions) -> dict[str, Any]:
    """What ``--dry-run`` says; overlays as PNG take about two bytes per pixel."""
    options.check()
    dataset = open_images(images, options)
    records = _evenly(dataset.records, options.limit)
    sample = [r.size() for r in _evenly(records, 16)]
    pixels = sum(h * w for h, w in sample) * len(records) // len(sample)
    return {
        "images": len(records),
        "disk_bytes": 2 * pixels,
        "memory_bytes_for_a_batch": 8 * pixels // len(records) * options.batch_size,
        "device": str(pick_device(options.device)),
        "predictor": str(artifact),
    }


def render(
    artifact: Path,
    images: Path,
    output: Path,
    options: RenderOptions,
    rivals: Sequence[tuple[str, Path]] = (),
    *,
    overwrite: bool = False,
) -> Path:
    """Draw what a predictor finds in photos, labelled or not.

    Args:
        artifact: a run folder or a clusters file.
        images: a data set, a folder of photos, or one photo.
        output: the folder to write.
        options: see ``RenderOptions``.
        rivals: names and eval.json files of other methods, for the report's table.
        overwrite: replace an existing folder.

    Returns:
        The folder, with ``masks/``, ``overlays/``, ``sheet.png``, ``report.html``,
        ``legend.json``.
    """
    options.check()
    inputs = inputs_of(options, artifact, *(path for _, path in rivals), data=images)
    refuse_existing(output, overwrite=overwrite, inputs=inputs)
    if output.exists() and not (output / "masks" / schema.LEGEND).is_file():
        raise UsageError(f"{output}: was not written by render, so --overwrite will not remove it")
    prepare_cpu()
    dataset = open_images(images, options)
    records = _evenly(dataset.records, options.limit)
    device = pick_device(options.device)
    predictor = load_predictor(artifact, device, options.weights, options.image_size)
    if predictor.clusters > schema.IGNORE:
        raise UsageError(
            f"{artifact}: {predictor.clusters} clusters; an indexed PNG holds {schema.IGNORE}"
        )
    given = Path(options.scores) if options.scores else None
    scores = scores_of(given, predictor.origin.sha256, predictor.clusters) if given else None
    legend = _legend(predictor, scores)
    if given and scores and not are_of(scores, given, dataset):
        # They name the clusters of other photos, but say nothing of how well these are parsed.
        console.print(f"not shown: {options.scores} holds the scores of other photos than {images}")
        legend = replace(legend, named_by=f"{legend.named_by}, by scores of other photos")
        scores = None
    read = [(path, read_scores(path)) for _, path in rivals]
    require_alike([(given, scores), *read] if given and scores else read)
    others = [
        Rival(name, found["miou"], found["pixel_accuracy"])
        for (name, _), (_, found) in zip(rivals, read, strict=True)
    ]
    with (
        claim(output, overwrite=overwrite, inputs=inputs),
        replacing_folder(output) as partial,
    ):
        made_from = _made_from(predictor, dataset, options, rivals, legend)
        skips = Skips(options.on_error, dataset.unusable)
        drawn, made_from = _draw_all(predictor, records, partial, legend, options, made_from, skips)
        if options.format != "png":
            named = [(record.name, mask) for record, mask in drawn]
            how = (options.shapes, options.tolerance, options.workers)
            write_exchange(options.format, partial, named, legend, *how)
        shown = _evenly(drawn, options.sheet)
        with output_errors(output):
            _write_sheets(shown, partial, legend, options)
        content = _content(predictor, artifact, dataset, scores, legend, others, options)
        content = replace(content, **_photos(dataset, scores, drawn, options))
        if skips.all:
            said = f"{len(skips.all)} of {len(records) + len(skips.unusable)} photos were left out"
            fact = f"{said}: {'; '.join(skips.all.values())}"
            content = replace(content, facts=[*content.facts, ("left out", fact)])
        write_report(partial / "report.html", content)
        made_from["files"] = sha256_folder(partial)
        write_legend(partial / "masks" / schema.LEGEND, legend.entries, made_from)
    return output


def _evenly(items: Sequence[T], limit: int) -> list[T]:
    return [items[i] for i in evenly(len(items), limit or len(items))]


def _legend(predictor: Predictor, scores: dict[str, Any] | None) -> Legend:
    """Ids as classes where a matching names the clusters, else as clusters."""
    table, named_by = np.arange(256, dtype=np.uint8), "cluster numbers"
    if scores is not None:
        names = tuple(scores["classes"])
        by_name = scores["matching"]["kind"] == "by name"
        named_by = "the predictor itself" if by_name else "one-to-one matching with the labels"
        kind = "matching" if by_name or predictor.clusters <= len(names) else "many_to_one"
        if kind == "many_to_one":
            # One to one, all but N of the clusters would be drawn as ignored.
            named_by = "many to one: each cluster is drawn as the class it covers most"
            console.print(f"more clusters than classes: the masks are named {named_by}")
        for cluster, found in enumerate(scores[kind]["clusters_to_classes"]):
            table[cluster] = schema.IGNORE if found < 0 else found
    else:
        names = predictor.names
        if predictor.called:
            named_by = "the user's names"
        elif predictor.named:
            merged = predictor.groups is not None
            named_by = "the label-free merge" if merged else "the predictor itself"
    return Legend(table, names, colours_of(names), named_by)


def _draw_all(
    predictor: Predictor,
    records: list[Record],
    folder: Path,
    legend: Legend,
    options: RenderOptions,
    made_from: dict[str, Any],
    skips: Skips,
) -> tuple[list[Drawn], dict[str, Any]]:
    """Write every mask and overlay; the images drawn with their masks, and what these are of."""
    palette = pascal_palette()
    done, sums = [], []

    def write(record: Record, full: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
        mask = legend.table[labels]
        relative = Path(record.name).with_suffix(".png")
        with output_errors(folder):
            for kind in ("masks", "overlays"):
                (folder / kind / relative).parent.mkdir(parents=True, exist_ok=True)
        write_indexed_png(folder / "masks" / relative, mask, palette)
        drawn = _overlay(full, mask, legend, options)
        with output_errors(folder):
            _save_picture(folder / "overlays" / relative, drawn)

    # Files are compressed while the network is at the next batch, no more than one batch behind.
    writing: list[Future[None]] = []
    with (
        progress("render", len(records)) as bar,
        ThreadPoolExecutor(worker_count(options.workers)) as writers,
    ):
        for group in read_in_batches(
            _both(predictor.encoder.image_size), records, options.batch_size, options.workers, skips
        ):
            pixels = np.stack([small for _, small, _, _ in group])
            sizes = [(full.shape[0], full.shape[1]) for _, _, full, _ in group]
            found = predictor.predict(pixels, sizes)
            bar.advance(len([one.result() for one in writing]))
            writing = []
            for (record, _, full, sha256), labels in zip(group, found, strict=True):
                writing.append(writers.submit(write, record, full, labels))
                done.append((record, folder / "masks" / Path(record.name).with_suffix(".png")))
                sums.append(sha256)
        bar.advance(len([one.result() for one in writing]))
    skips.count(len(records))
    if not done:
        raise BadInputError(records[0].image, "not one image could be read")
    names = [record.name for record, _ in done]
    digest = inputs_digest(names, sums)
    of_these = [replace(s, sha256=digest) if s.role == DATA else s for s in made_from["lineage"]]
    drawn_from = {"lineage": as_json(of_these), "skipped": skips.all, "photos": names}
    return done, made_from | drawn_from


def _made_from(
    predictor: Predictor,
    dataset: Dataset,
    options: RenderOptions,
    rivals: Sequence[tuple[str, Path]],
    legend: Legend,
) -> dict[str, Any]:
    """The pictures' inputs as the legend holds them, without the digest of the photos."""
    found = [
        source(PREDICTOR, predictor.origin.file, predictor.origin.sha256),
        source(DATA, dataset.root, ""),
    ]
    if options.scores:
        found.append(source(SCORES, Path(options.scores), sha256_file(Path(options.scores))))
    others = [f"--rival {shlex.quote(f'{name}={path.absolute()}')}" for name, path in rivals]
    drawn = {name: list(colour) for name, colour in legend.overlay}
    return {
        "named_by": legend.named_by,
        "overlay_rgb": drawn,
        "options": recorded(options),
        "rivals": others,
        "lineage": found,
    }


def _overlay(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], legend: Legend, options: RenderOptions
) -> NDArray[np.uint8]:
    background = _has_background(legend)
    return overlay(image, mask, legend.colours, options.opacity, background=background)


def _has_background(legend: Legend) -> bool:
    return legend.names[0] == schema.PARTS[0]


def _save_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    from PIL import Image

    # The least compression: a quarter of the time for files a tenth larger.
    Image.fromarray(pixels).save(path, compress_level=1)


def _both(size: int) -> Callable[[Record], Sized]:
    """Reads a photo at (size, size) and at its own size, with the hash of the file."""

    def read(record: Record) -> Sized:
        with unchanged(record.image):
            small, full = record.photo(size)[0], record.photo()[0]
            return record, small, full, sha256_file(record.image)

    return read


def _write_sheets(shown: list[Drawn], folder: Path, legend: Legend, options: RenderOptions) -> None:
    """The contact sheet, or numbered sheets where there are more photos than one takes."""

    def pairs(page: list[Drawn]) -> Iterator[tuple[str, list[NDArray[np.uint8]]]]:
        for record, mask_path in page:
            photo, mask = _panel(record, mask_path)
            yield record.name, [photo, _overlay(photo, mask, legend, options)]

    pages = [shown[i : i + SHEET_PHOTOS] for i in range(0, len(shown), SHEET_PHOTOS)]
    for number, page in enumerate(pages, 1):
        name = f"sheet-{number:0{len(str(len(pages)))}}.png" if len(pages) > 1 else "sheet.png"
        sheet = contact_sheet(pairs(page), SHEET_COLUMNS, TILE_WIDTH, legend=legend.overlay)
        sheet.save(folder / name)


def _panel(record: Record, mask_path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photo and its mask at the report's size."""
    photo = reduced(record.photo()[0], PANEL)
    return photo, resize_labels(np.asarray(read_mask(mask_path), np.uint8), photo.shape[:2])


def _label_reader(
    dataset: Dataset, scores: dict[str, Any] | None
) -> Callable[[Record], NDArray[np.uint8]] | None:
    """Reads a photo's labels under the merge that was scored; None where there is none."""
    masks = tuple(record for record in dataset.records if record.mask is not None)
    if scores is None or not masks or "merge_table" not in scores:
        return None
    try:
        labels = settle(replace(dataset, records=masks))
    except BadInputError as error:
        console.print(f"no labels are drawn: {error.message}")
        return None
    if scores["label_space"]["names"] != list(labels.space.names):
        return None
    # From the scores themselves: no file is read because they name it.
    classes, table = tuple(scores["classes"]), tuple(scores["merge_table"])
    merge = Merge(scores["merge"], labels.space.name, classes, table)
    return lambda record: merge.apply(labels.ids(record.labels()))


def _content(
    predictor: Predictor,
    artifact: Path,
    dataset: Dataset,
    scores: dict[str, Any] | None,
    legend: Legend,
    rivals: list[Rival],
    options: RenderOptions,
) -> ReportContent:
    config = predictor.origin.config
    method = method_name(predictor.origin.method, config.get("options"))
    metrics = Run.open(artifact).read_metrics() if artifact.is_dir() else []
    return ReportContent(
        title=f"Parts found by {method}",
        subtitle=_learned_from(predictor.origin.method),
        facts=[
            ("photos", str(dataset.root)),
            ("split", dataset.split or "all"),
            ("parts" if predictor.classifier.names else "clusters", predictor.classifier.classes),
            ("masks named by", legend.named_by),
        ],
        legend=legend.overlay,
        opacity=options.opacity,
        background=_has_background(legend),
        scores=scores,
        rivals=rivals,
        metrics=metrics,
        configuration=config.get("options", config),
        lineage={
            "c2l": __version__,
            "predictor": str(artifact),
            "sha256": predictor.origin.sha256,
            "settings": json.dumps(vars(options)),
        },
    )


def _learned_from(method: str) -> str:
    if method == "drawings":
        return "Taught by drawings with their own labels; nobody labelled a photograph."
    return "Learned from photos alone; no label was read in training."


def _photos(
    dataset: Dataset, scores: dict[str, Any] | None, drawn: list[Drawn], options: RenderOptions
) -> dict[str, Any]:
    """The report's photos: some evenly spread, and the best, median and worst that were scored."""
    read_labels = _label_reader(dataset, scores)
    names = {record.name for record, _ in drawn}
    known = [one for one in ranked(scores or {}) if one[0] in names] if read_labels else []
    kinds = {name: kind for kind, group in best_median_worst(known).items() for name, _ in group}
    mious = dict(known)
    most = min(options.sheet or MOST_PHOTOS, MOST_PHOTOS)
    chosen = {record.name for record, _ in _evenly(drawn, most)} | kinds.keys()

    def tiles() -> Iterator[Tile]:
        for record, mask_path in drawn:
            if (name := record.name) not in chosen:
                continue
            photo, parts = _panel(record, mask_path)
            labels = None
            if read_labels and record.mask is not None:
                labels = resize_labels(read_labels(record), photo.shape[:2])
            yield Tile(name, photo, parts, labels, mious.get(name), kinds.get(name, ""))

    counts = {"photos": len(drawn), "shown": len(chosen), "ranked": len(known)}
    return {"tiles": tiles(), **counts}
