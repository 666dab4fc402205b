/** 4 or 6 for an IPv4 or IPv6 literal (RFC 4291 §2.2, a zone such as `%eth0` allowed), 0 for anything else. */
export function ipFamily(text: string): 0 | 4 | 6 {
  if (isIPv4(text)) return 4;
  return isIPv6(text) ? 6 : 0;
}

function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIPv6(text: string): boolean {
  const [address = '', zone, ...more] = text.split('%');
  if (more.length > 0 || zone === '' || (zone !== undefined && !/^[\w.-]+$/.test(zone))) return false;
  const halves = address.split('::');
  if (halves.length > 2) return false;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  // Only the very last group may be a dotted IPv4 address; it stands for two.
  const last = groups.at(-1);
  const dotted = last?.at(-1);
  if (last !== undefined && dotted?.includes('.')) {
    if (!isIPv4(dotted)) return false;
    last.splice(-1, 1, '0', '0');
  }
  const all = groups.flat();
  // `::` stands for at least one group.
  const countFits = halves.length === 2 ? all.length <= 7 : all.length === 8;
  return countFits && all.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group));
}
