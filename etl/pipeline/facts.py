"""Facts of a plan as data for `--json`, reports and the terminal. Pure."""

from __future__ import annotations

from typing import Any

from etl.model.problem import Problem
from etl.pipeline.feasible import feasibility
from etl.pipeline.planning import Span, compare_controls
from etl.pipeline.prepare import Prepared
from etl.pipeline.source_files import row_documents
from etl.pipeline.sources import file_documents, problems_of_files, texts
from etl.pipeline.unconfirmed import likely_rows

PAYMENT_NOTE = "Mews books external payments when they are posted, whatever the date of the order."


def facts_document(prepared: Prepared) -> dict[str, Any]:
    """Feasibility, footing and sources: what is told before anything is sent."""
    plan, reference = prepared.plan, prepared.reference
    return {
        "enterprise": {
            "id": reference.enterprise_id,
            "name": reference.enterprise_name,
            "platform": reference.platform,
            "pricing": reference.pricing.value,
            "timezone": reference.timezone,
            "now_utc": reference.now.isoformat(),
        },
        "store": prepared.mapping.settings.source.store,
        "feasibility": feasibility(plan, prepared.mapping, reference),
        "footing": {"without_tax_orders": plan.footing.value if plan.footing else None, "votes": plan.footing_votes},
        "stated": plan.stated.document(),
        "shipping_tax": plan.shipping.document() if plan.shipping else None,
        "controls": compare_controls(prepared.mapping.controls, plan),
        "waivers": [
            {"order": waiver.order_number, "code": waiver.problem_code, "by": waiver.by, "reason": waiver.reason}
            for waiver in prepared.mapping.waivers
        ],
        "narrowed": _narrowed(prepared.span),
        "mapping": prepared.mapping.digest,
        "mapping_notices": list(prepared.mapping.notices),
        "likely": likely_rows(prepared.mapping, prepared.facts),
        "sources": file_documents(prepared.facts.files),
        "corrections": corrections_of(prepared),
        "told": texts(file_notices(prepared)),
        "unassigned_rows": row_documents(prepared.facts.unassigned),
    }


def corrections_of(prepared: Prepared) -> list[str]:
    """The files of corrections as they were typed, each once."""
    return list(dict.fromkeys(str(file.path) for file in prepared.facts.files if file.is_correction))


def file_notices(prepared: Prepared) -> list[Problem]:
    """What is told of the export files; complete once the orders have been planned."""
    return problems_of_files(prepared.facts, prepared.batch.unused_values())


def reading_document(prepared: Prepared) -> dict[str, Any]:
    """What is known of the export as soon as it is read; kept with the run, should it never come to its end."""
    facts = facts_document(prepared)
    return {
        "sources": facts["sources"],
        "narrowed": facts["narrowed"],
        "corrections": facts["corrections"],
        "lines": {"unassigned": prepared.facts.unassigned_count},
        "unassigned_rows": facts["unassigned_rows"],
    }


def _narrowed(span: Span) -> dict[str, str | None] | None:
    if span == Span():
        return None
    return {"from": span.start.isoformat() if span.start else None, "to": span.end.isoformat() if span.end else None}
