"""Every option of every stage with its default, written once; the standard library only.

A file per stage; other rooms and Python programs import the names from here.
"""

from c2l.options.auto import is_settled, settle, settle_as
from c2l.options.cluster import ClusterOptions
from c2l.options.compare import CompareOptions
from c2l.options.data import CheckOptions, SynthOptions
from c2l.options.evaluate import EvalOptions
from c2l.options.extract import ExtractOptions
from c2l.options.fields import (
    AUTO,
    GROUPS,
    Auto,
    Options,
    changed,
    decisive_options,
    flag,
    known,
    option,
    recorded,
    resolved,
    roles,
    stored,
    types_of,
    value_of,
)
from c2l.options.fit import (
    FIGURE_MERGES,
    FitOptions,
    ModuleOptions,
    method_name,
    names_parts,
    needs_figures,
)
from c2l.options.presets import preset, preset_file, preset_names
from c2l.options.render import ParseOptions, RenderOptions
from c2l.options.shared import (
    CheckpointOptions,
    CommonOptions,
    ImageOptions,
    KMeansOptions,
    NetworkOptions,
)
from c2l.options.teach import TeachOptions

__all__ = [
    "AUTO",
    "FIGURE_MERGES",
    "GROUPS",
    "Auto",
    "CheckOptions",
    "CheckpointOptions",
    "ClusterOptions",
    "CommonOptions",
    "CompareOptions",
    "EvalOptions",
    "ExtractOptions",
    "FitOptions",
    "ImageOptions",
    "KMeansOptions",
    "ModuleOptions",
    "NetworkOptions",
    "Options",
    "ParseOptions",
    "RenderOptions",
    "SynthOptions",
    "TeachOptions",
    "changed",
    "decisive_options",
    "flag",
    "is_settled",
    "known",
    "method_name",
    "names_parts",
    "needs_figures",
    "option",
    "preset",
    "preset_file",
    "preset_names",
    "recorded",
    "resolved",
    "roles",
    "settle",
    "settle_as",
    "stored",
    "types_of",
    "value_of",
]
