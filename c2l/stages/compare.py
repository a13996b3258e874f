"""compare: several eval.json as one table, in which runs that differ in the seed are one row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c2l import __version__, schema
from c2l.artifacts.outputs import JSON, claim
from c2l.artifacts.scores import FRACTIONS, read_scores, require_alike, scored_on
from c2l.drawing.comparison import markdown
from c2l.drawing.method_name import method_name
from c2l.errors import BadInputError, UsageError
from c2l.options import FitOptions, roles
from c2l.runtime.files import replacing
from c2l.runtime.json_files import flat, write_json
from c2l.scoring.comparison import BySeed, difference, spread

METRICS = (*FRACTIONS, *schema.AGREEMENT)
# What a table begins with in a file, so that --overwrite replaces no other file.
COMMENT = f"<!-- {schema.FORMAT_COMPARISON} -->\n"
# By their last word, keys of a configuration that are no setting of the method.
NO_SETTING = {"seed", "threads", "lineage", "format", "format_version"}
FILES = {*roles(FitOptions), "data"}
# A file that a run starts from is another one under another seed.
STARTS = roles(FitOptions).keys() - {"weights"}
START = STARTS | {f"{name}_sha256" for name in STARTS}
# Differences that an error names.
MOST_SHOWN = 4
# Keys that follow from others; they name a row only where no other differs.
DERIVED = {"guess", *(f"{name}_sha256" for name in roles(FitOptions))}


@dataclass(frozen=True)
class EvalFile:
    """One eval.json.

    Attributes:
        path: the file.
        name: of its row, "" where its settings give one.
        scores: what it holds.
        seed: of the run that it scores.
        settings: that run's configuration without seeds, by dotted key.
        scored_on: the photos, split, label merge and label space.
    """

    path: Path
    name: str
    scores: dict[str, Any]
    seed: int
    settings: dict[str, Any]
    scored_on: dict[str, Any]

    @property
    def key(self) -> str:
        """The same for runs that differ in the seed."""
        return json.dumps([self.settings, self.scored_on], sort_keys=True)


@dataclass(frozen=True)
class Row:
    """Scores of runs that differ in the seed.

    Attributes:
        name: in the table.
        by_seed: the scores of each, as eval.json has them.
        paths: of the files.
    """

    name: str
    by_seed: dict[int, dict[str, Any]]
    paths: tuple[Path, ...] = ()

    def metric(self, name: str) -> BySeed:
        """One score of each run."""
        return {seed: scores.get(name) for seed, scores in self.by_seed.items()}


def compare(
    files: Sequence[tuple[str, Path]], *, against: str = "", mixed: bool = False
) -> dict[str, Any]:
    """Put scores side by side.

    Args:
        files: eval.json files, each with the name of its row or "".
        against: the row that the others' differences are taken to, "" for none.
        mixed: allow rows that are scored on different photos, splits, label merges or label
            spaces; the trivial rows, which belong to one of each, are then left out.

    Returns:
        ``rows`` in the order of the files, ``trivial`` rows, what was ``scored_on``, and
        ``mixed``: in what the rows' scoring differs.

    Raises:
        BadInputError: a file is missing or damaged or is not scored as the others are; a row has
            a seed twice, or runs that differ in more than the seed.
        UsageError: ``against`` is not a row, or two rows have the same name.
    """
    scored = [_read(path, name) for name, path in files]
    hint = "score both alike by c2l eval --split and --merge, or add --mixed"
    differing = require_alike([(one.path, one.scores) for one in scored], mixed=mixed, hint=hint)
    rows = _rows(scored)
    names = [row.name for row in rows]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"two rows are called {twice[0]!r}", hint="name one of them: NAME=FILE")
    if against and against not in names:
        raise UsageError(
            f"--against {against!r}: the rows are {', '.join(map(repr, names))}",
            hint="give a long one a name: NAME=FILE",
        )
    reference = next((row for row in rows if row.name == against), None)
    first = scored[0].scores
    return {
        "format": schema.FORMAT_COMPARISON,
        "format_version": schema.FORMAT_VERSION,
        "created_by": f"c2l {__version__}",
        "scored_on": {k: first.get(k) for k in ("images", "split", "merge", "classes")},
        "mixed": differing,
        "against": against or None,
        "rows": [_row_json(row, reference) for row in rows],
        "trivial": [] if differing else [_scores_json(row) for row in _trivial(scored)],
    }


def as_text(comparison: dict[str, Any], form: str, *, agreement: bool = False) -> str:
    """A comparison as one line of JSON or as a Markdown table, which shows NMI and ARI if asked."""
    if form == "json":
        return json.dumps(comparison) + "\n"
    return markdown(comparison, agreement=agreement)


def write_comparison(
    comparison: dict[str, Any],
    output: Path,
    form: str,
    *,
    agreement: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a comparison as JSON or as a Markdown table, as ``as_text`` shows it.

    Raises:
        UsageError: the output exists, or is one of the files that are compared.
        OutputError: it cannot be written.
    """
    starts = JSON if form == "json" else COMMENT.encode()
    inputs = [Path(name) for row in comparison["rows"] for name in row["files"]]
    with claim(output, overwrite=overwrite, starts=starts, inputs=inputs):
        if form == "json":
            write_json(output, comparison, sealed=True)
            return
        text = COMMENT + as_text(comparison, form, agreement=agreement)
        with replacing(output, needed=len(text)) as partial:
            partial.write_text(text, encoding="utf-8")


def _read(path: Path, name: str) -> EvalFile:
    scores = read_scores(path)
    lineage = scores.get("lineage", {})
    made = lineage.get("made_from")
    # Of a run they lie under "options"; of a clusters file they are the configuration.
    options = made.get("options", made) if isinstance(made, dict) else None
    seed = options.get("seed") if isinstance(options, dict) else None
    if type(seed) is not int:
        raise BadInputError(
            path,
            "its lineage does not say under which options and seed its predictor was made",
            hint="score the predictor again: c2l eval RUN DATA -o eval.json",
        )
    settings = {
        key: Path(value).name if _last(key) in FILES and isinstance(value, str) else value
        for key, value in flat(made).items()
        if _last(key) not in NO_SETTING
    }
    return EvalFile(path, name, scores, seed, settings, scored_on(scores))


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [key for key in {**one, **other} if one.get(key) != other.get(key)]


def _rows(scored: Sequence[EvalFile]) -> list[Row]:
    """Files of one name, and unnamed ones of the same settings, in the order of the files."""
    given: dict[str, set[str]] = {}
    for one in scored:
        given.setdefault(one.key, set()).update({one.name} - {""})
    groups: dict[tuple[str, str], list[EvalFile]] = {}
    for one in scored:
        # An unnamed file belongs to the row that others of the same settings name.
        name = one.name or (min(given[one.key]) if len(given[one.key]) == 1 else "")
        groups.setdefault((name, "" if name else one.key), []).append(one)
    derived = iter(_names([group[0] for (name, _), group in groups.items() if not name]))
    return [_row(name or next(derived), group) for (name, _), group in groups.items()]


def _row(name: str, group: Sequence[EvalFile]) -> Row:
    """One row, whose runs must differ in the seed and in nothing else."""
    first, seeds = group[0], {group[0].seed: group[0]}
    for one in group[1:]:
        keys = _differing(first.settings, one.settings)
        said = [
            f"{key} is {one.settings.get(key)!r}, there {first.settings.get(key)!r}"
            for key in keys
            if _last(key) not in START
        ]
        said += [f"other {key}" for key in _differing(first.scored_on, one.scored_on)]
        if said:
            more = f"; and {len(said) - MOST_SHOWN} more" if len(said) > MOST_SHOWN else ""
            raise BadInputError(
                one.path,
                f"is in row {name!r} with {first.path}, from which it differs in more than the "
                f"seed: {'; '.join(said[:MOST_SHOWN])}{more}",
                hint="give it a name of its own: NAME=FILE",
            )
        if one.seed in seeds:
            raise BadInputError(
                one.path,
                f"has seed {one.seed} and the settings of {seeds[one.seed].path} in row {name!r}",
                hint="leave one of them out, or name both: NAME=FILE",
            )
        seeds[one.seed] = one
    by_seed = {seed: one.scores for seed, one in seeds.items()}
    return Row(name, by_seed, tuple(one.path for one in group))


def _names(firsts: Sequence[EvalFile]) -> list[str]:
    """A name for each row: its method, and the settings that tell rows of one method apart."""
    methods = [
        method_name(
            str(one.scores.get("method", "scored")),
            one.scores["lineage"]["made_from"].get("options"),
        )
        for one in firsts
    ]
    facts = [{**one.settings, **_where(one)} for one in firsts]
    names = []
    for method, mine in zip(methods, facts, strict=True):
        alike = [f for f, m in zip(facts, methods, strict=True) if m == method]
        keys = [key for key in mine if any(other.get(key) != mine[key] for other in alike)]
        keys = [key for key in keys if _last(key) not in DERIVED] or keys
        names.append(", ".join([method, *(_fact(key, mine[key]) for key in keys)]))
    return names


def _where(one: EvalFile) -> dict[str, Any]:
    """What tells rows of different scoring apart."""
    return {"merge": one.scores.get("merge"), "split": one.scored_on["split"]}


def _fact(key: str, value: Any) -> str:
    word = _last(key).replace("_", "-")
    if value is False or value in (None, ""):
        return f"no {word}"
    if value is True:
        return word
    return f"{word} {str(value)[:8] if word.endswith('sha256') else value}"


def _trivial(scored: Sequence[EvalFile]) -> list[Row]:
    """Rows of the trivial predictors by seed of the scoring, and by image size if these differ."""
    found: dict[str, dict[Any, dict[int, dict[str, Any]]]] = {}
    for one in scored:
        options = one.scores["lineage"].get("options", {})
        seed = options.get("seed")
        seed = seed if type(seed) is int else 0
        # Without a size of its own, the scoring took that of the training.
        trained = (v for key, v in one.settings.items() if _last(key) == "image_size")
        size = options.get("image_size") or next(trained, None)
        for name, scores in one.scores.get("baselines", {}).items():
            found.setdefault(name, {}).setdefault(size, {}).setdefault(seed, scores)
    rows = []
    for name, sizes in found.items():
        alike = {
            seed: {json.dumps(own[seed]) for own in sizes.values() if seed in own}
            for own in sizes.values()
            for seed in own
        }
        if all(len(different) == 1 for different in alike.values()):
            rows.append(Row(name, {s: v for own in sizes.values() for s, v in own.items()}))
        else:
            rows += [Row(f"{name}, {size or '?'} px", by_seed) for size, by_seed in sizes.items()]
    return rows


def _row_json(row: Row, reference: Row | None) -> dict[str, Any]:
    first, *others = row.by_seed.values()
    ious = {seed: scores.get("iou", {}) for seed, scores in row.by_seed.items()}
    found = {
        **_scores_json(row),
        "iou": {
            name: spread({seed: iou.get(name) for seed, iou in ious.items()})
            for name in first["classes"]
        },
        "files": [str(path) for path in row.paths],
    }
    if not others:
        found["intervals"] = first.get("intervals", {})
    if reference is not None and reference is not row:
        found["differences"] = {
            metric: difference(row.metric(metric), reference.metric(metric)) for metric in METRICS
        }
    return found


def _scores_json(row: Row) -> dict[str, Any]:
    return {"name": row.name, **{metric: spread(row.metric(metric)) for metric in METRICS}}
