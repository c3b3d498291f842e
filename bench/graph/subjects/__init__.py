"""The subjects: each makes an async function of no arguments that gives the workload's answer."""
