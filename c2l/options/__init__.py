"""Every option of every stage with its default, written once; the standard library only.

A file per stage; other rooms and Python programs import the names from here. A name imported as
itself is exported.
"""

from c2l.options.auto import (
    fill_auto as fill_auto,
    fill_auto_from as fill_auto_from,
    has_auto as has_auto,
)
from c2l.options.cluster import (
    ClusterOptions as ClusterOptions,
)
from c2l.options.compare import (
    CompareOptions as CompareOptions,
    ReportOptions as ReportOptions,
)
from c2l.options.data import (
    CheckOptions as CheckOptions,
    SynthOptions as SynthOptions,
)
from c2l.options.evaluate import (
    EvalOptions as EvalOptions,
)
from c2l.options.export import (
    ExportOptions as ExportOptions,
)
from c2l.options.extract import (
    ExtractOptions as ExtractOptions,
)
from c2l.options.fields import (
    AUTO as AUTO,
    GROUPS as GROUPS,
    Auto as Auto,
    Options as Options,
    changed as changed,
    decisive_options as decisive_options,
    flag as flag,
    known as known,
    option as option,
    recorded as recorded,
    roles as roles,
    stored as stored,
    types_of as types_of,
    value_of as value_of,
)
from c2l.options.fit import (
    FIGURE_MERGES as FIGURE_MERGES,
    FitOptions as FitOptions,
    ModuleOptions as ModuleOptions,
    names_parts as names_parts,
    needs_figures as needs_figures,
    without_modules_if_picie as without_modules_if_picie,
)
from c2l.options.presets import (
    preset as preset,
    preset_file as preset_file,
    preset_names as preset_names,
)
from c2l.options.render import (
    ParseOptions as ParseOptions,
    RenderOptions as RenderOptions,
)
from c2l.options.shared import (
    CheckpointOptions as CheckpointOptions,
    CommonOptions as CommonOptions,
    ImageOptions as ImageOptions,
    KMeansOptions as KMeansOptions,
    NetworkOptions as NetworkOptions,
)
from c2l.options.teach import (
    TeachOptions as TeachOptions,
)
