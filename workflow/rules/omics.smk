"""Tables of other omics beside what images and counts tell; only where the configuration names some."""

from isthmus.config.omics import joint_units

OMICS = RUN.settings.analysis.omics
UNITS = joint_units(OMICS)
OMICS_RESULTS = [
    *(f"<results>/cohort/{table.name}.h5ad" for table in OMICS),
    *(f"<results>/cohort/{unit}s.h5mu" for unit in UNITS),
    *(["<results>/cohort/correlations.tsv"] if UNITS else []),
]


rule join_omics:
    input:
        cohort="<results>/cohort/cells.h5ad",
        tables=per_sample("<results>/{sample}/cells.h5ad"),
        wells=(
            where_planned("profile_wells", "<results>/{sample}/wells.h5ad")
            if any(table.key == "well" for table in OMICS)
            else []
        ),
    output:
        tables=[f"<results>/cohort/{table.name}.h5ad" for table in OMICS],
        units=[f"<results>/work/cohort/{unit}s.h5mu" for unit in UNITS],
        summary="<results>/work/cohort/join_omics.json",
    log:
        "<logs>/join_omics.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("join_omics"),
        runtime=minutes_of("join_omics"),
    params:
        results=results_folder,
        digest=digest_of("join_omics"),
    script:
        "../scripts/join_omics.py"


rule analyse_omics:
    input:
        units=[f"<results>/work/cohort/{unit}s.h5mu" for unit in UNITS],
    output:
        units=[f"<results>/cohort/{unit}s.h5mu" for unit in UNITS],
        correlations="<results>/cohort/correlations.tsv",
        summary="<results>/work/cohort/analyse_omics.json",
    log:
        "<logs>/analyse_omics.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("analyse_omics"),
        runtime=minutes_of("analyse_omics"),
    params:
        results=results_folder,
        digest=digest_of("analyse_omics"),
    script:
        "../scripts/analyse_omics.py"
