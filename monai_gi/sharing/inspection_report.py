"""The report of an inspection: the verdict first and last, what is wrong right below it, the long list behind.

Convention: texts of the bundle are printed with control characters escaped, one a line.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from monai_gi.sharing.config_inspection import Executed
from monai_gi.sharing.findings import NOTE, Finding, printable
from monai_gi.sharing.manifest import MANIFEST_NAME
from monai_gi.sharing.signature import Signature

if TYPE_CHECKING:
    from monai_gi.sharing.inspection import Inspection

LONGEST = 6000  # a judged expression has 4000 characters at most


def report_lines(inspection: "Inspection", *, brief: bool = False) -> list[str]:
    """The report.

    Args:
        inspection: what was found.
        brief: count what the configs execute inside the allow-list instead of listing it.

    Returns:
        Its lines.
    """
    notes = [finding for finding in inspection.findings if finding.severity == NOTE]
    return [
        printable(f"{inspection.path.name}: {inspection.claims.title}"),
        _verdict(inspection),
        *map(printable, inspection.claims.lines()),
        f"files: {inspection.files}, {_manifest_line(inspection)}",
        f"signature: {_signature_line(inspection.signature)}",
        *_titled("wrong", inspection.wrong),
        *_titled("notes", notes),
        *_executed_lines(inspection.executed, brief=brief),
        _verdict(inspection),
    ]


def _verdict(inspection: "Inspection") -> str:
    count = len(inspection.wrong)
    if not count:
        return "Nothing is wrong." if inspection.signature.checked else "Nothing is wrong but for what was not checked."
    return f"{count} {'thing is' if count == 1 else 'things are'} wrong: do not run this bundle."


def _titled(title: str, findings: Sequence[Finding]) -> list[str]:
    return [f"{title} ({len(findings)}):", *(f"  {finding}" for finding in findings)] if findings else []


def _manifest_line(inspection: "Inspection") -> str:
    if not inspection.manifest:
        return "no manifest: a folder that may change"
    changed = sum(1 for finding in inspection.wrong if finding.where == MANIFEST_NAME)
    return f"{changed} differences from the manifest" if changed else "all as in the manifest"


def _signature_line(signature: Signature) -> str:
    if not signature.signed:
        return "not signed; anybody may have packed it"
    if not signature.checked:
        return "there is one, which was not checked and may be false (see the notes)"
    if not signature.valid:
        return "NOT VALID"
    if signature.trusted:
        return f"valid, by the key that you named ({signature.fingerprint})"
    return (
        f"signed by the key with fingerprint {signature.fingerprint}, which you have not said you trust "
        "(--key public.pem)"
    )


def _executed_lines(executed: Sequence[Executed], *, brief: bool) -> list[str]:
    """Each text once, outside the allow-list with every place, inside it below the first config that has it."""
    outside = [one for one in executed if one.problems]
    inside = {one.text: one for one in reversed(executed) if not one.problems}
    imports = sorted(text[1:].strip() for text in inside if _is_import(text))
    lines = [
        f"the configs would execute {len(executed)} expressions and imports, {len(outside)} of them outside the "
        "allow-list" + (":" if outside else "."),
        *(printable(f"  OUTSIDE {one.text}  ({one.where})", LONGEST) for one in outside),
    ]
    if brief:
        return [*lines, f"inside the allow-list: {len(inside)} different ones; listed without --brief."]
    if imports:
        lines.append(printable(f"imports: {', '.join(text.removeprefix('import ') for text in imports)}", LONGEST))
    files: dict[str, list[str]] = {}
    for text, one in inside.items():
        if not _is_import(text):
            files.setdefault(one.where.partition("#")[0], []).append(text)
    for file, texts in sorted(files.items(), key=lambda pair: ("inference" not in pair[0], pair[0])):
        lines.append(printable(f"expressions of {file}, inside the allow-list ({len(texts)}):"))
        lines += [printable(f"  {text}", LONGEST) for text in sorted(texts)]
    return lines


def _is_import(text: str) -> bool:
    return text[1:].lstrip().startswith(("import ", "from "))
