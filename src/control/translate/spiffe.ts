/** Consul's SPIFFE IDs, as its certificate authority writes them into leaves. */

/** `spiffe://<trust domain>/ns/default/dc/<datacenter>/svc/<service>`. */
export function serviceUri(trustDomain: string, datacenter: string, service: string): string {
  return `${serviceUriPrefix(trustDomain)}${encodeURI(datacenter)}/svc/${encodeURI(service)}`;
}

/** What the IDs of all services of a mesh begin with. */
export function serviceUriPrefix(trustDomain: string): string {
  return `spiffe://${trustDomain}/ns/default/dc/`;
}

/** A regular expression for a service's IDs in whichever datacenter; `*` stands for every service. Intentions name no datacenter. */
export function serviceUriPattern(trustDomain: string, service: string): string {
  const named = service === '*' ? '[^/]+' : escaped(encodeURI(service));
  return `^spiffe://${escaped(trustDomain)}/ns/default/dc/[^/]+/svc/${named}$`;
}

function escaped(literal: string): string {
  return literal.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
