"""The results of one row as text for the page."""

from bench.machine import sentence


def text(result):
    """The whole marked part."""
    ours, by_hand, fklearn = (result[name] for name in ("veredito_us", "hand_written_us", "fklearn_us"))
    whole = [
        "| one row, JSON to JSON | µs | x ours |",
        "|---|--:|--:|",
        f"| **veredito** | {ours:,.1f} | 1 |",
        f"| by hand | {by_hand:,.1f} | {by_hand / ours:.2f} |",
        f"| fklearn 4.2 | {fklearn:,.0f} | {fklearn / ours:,.0f} |",
    ]
    aims = [
        "| what | measured | aim |",
        "|---|--:|--:|",
        f"| x by hand | {ours / by_hand:.2f} | <= 2 |",
        f"| fklearn's time, x ours | {fklearn / ours:,.0f} | >= 300 |",
        f"| schemas and adapters, share of ours | {result['adapter_share']:.0%} | <= 20 % |",
        f"| or: schemas and adapters, x decode + fill + encode by hand | {result['adapter_x_hand']:.2f} | <= 1.5 |",
    ]
    parts = [
        sentence(result["machine"]),
        "\n".join(whole),
        f"Ours, stage by stage: {_listed(result['stages_us'])}. By hand: {_listed(result['hand_stages_us'])}.",
        "\n".join(aims),
    ]
    return "\n\n".join(parts)


def _listed(stages):
    return ", ".join(f"{name} {us:.1f} µs" for name, us in stages.items())
