"""Runs compiled pipelines (KFP's IR) as Vertex AI Pipelines does.

    reading     a job's pipeline_spec -> `spec`, refusing what Vertex AI would
    engine      `Orchestrator`: validate, submit, cancel, close
    run         one run: the DAGs, their order, their states
    attempts    a container task: from the cache, or its turn and its tries
    container   one such try: inputs laid as files, process, outputs collected
    cache       what need not run again, because it ran before
    journal     the PipelineJob as it is recorded: states, times, errors, artifacts

The interface to the server speaks raw protos (`PipelineJob.pb`), and `save` gets a copy of the job
soon after each change of state. What differs from Vertex AI: a component runs as a process of this
host under the server's own Python, with its image's files first on PYTHONPATH; and its log is the
object `log.txt` in its task's folder of the bucket.
"""

from gcp_local.orchestrator.engine import Orchestrator

__all__ = ["Orchestrator"]
