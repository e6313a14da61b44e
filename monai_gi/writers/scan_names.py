"""Scan ids as file names: one rule for every writer."""


def check_name(scan_id: str) -> str:
    """Refuse a scan id that is no plain file name, before it leads a file out of its folder.

    Args:
        scan_id: as `case1_day0`.

    Returns:
        The id.

    Raises:
        ValueError: it is empty, begins with a dot or holds a path's separators.
    """
    if not scan_id or scan_id.startswith(".") or any(sign in scan_id for sign in "/\\\0"):
        raise ValueError(f"scan_id: {scan_id!r} can not name files, wanted a name such as case1_day0")
    return scan_id
