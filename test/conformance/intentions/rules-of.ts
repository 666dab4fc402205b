import { parseIntentions } from '../../../src/control/consul/parse-intentions.ts';
import { serviceName } from '../../../src/control/translate/catalog.ts';
import { intentionRulesJson } from '../../../src/control/translate/intention-rules.ts';
import { intentionsOf, type ServiceIntentions } from '../../../src/control/translate/intentions.ts';
import type { RequestHead } from '../../../src/http/head.ts';
import { HeaderEdits } from '../../../src/http/header-edits.ts';
import { decodeHttpFilterConfig } from '../../../src/resource/decode-extension.ts';
import { RbacEngine } from '../../../src/sidecar/filter/rbac/rbac-engine.ts';
import type { RbacSubject } from '../../../src/sidecar/filter/rbac/rbac-subject.ts';
import { PLAINTEXT } from '../../../src/transport-socket/transport-socket.ts';
import { buildExtension } from '../../support/extensions.ts';
import { plainFields } from '../../support/plain-fields.ts';

export type Json = Readonly<Record<string, unknown>>;

export const TRUST_DOMAIN = '11111111-2222-3333-4444-555555555555.consul';

/** The intentions of `api` among entries as Consul writes them. */
export function intentionsOfApi(entries: readonly Json[], defaultPolicy: string): ServiceIntentions {
  return intentionsOf(serviceName('api'), parseIntentions(entries, defaultPolicy));
}

/** What our control server makes of them, as a sidecar takes it. */
export function ownEngine(known: ServiceIntentions | undefined, isHttp: boolean): RbacEngine {
  return engineOf(intentionRulesJson(known, { trustDomain: TRUST_DOMAIN, isHttp }));
}

export function engineOf(rules: Json): RbacEngine {
  const config = decodeHttpFilterConfig(buildExtension('envoy.extensions.filters.http.rbac.v3.RBAC', { rules }));
  if (!config.ok || config.value.kind !== 'rbac' || config.value.rules === undefined) throw new Error('no rules');
  return new RbacEngine(config.value.rules);
}

export interface Call {
  readonly source: string;
  readonly datacenter?: string;
  readonly method: string;
  readonly path: string;
  readonly fields?: readonly (readonly [string, string])[];
}

export function letsIn(engine: RbacEngine, call: Call): boolean {
  return engine.allows(engine.matchedPolicy(subjectOf(call)));
}

/** A request over mutual TLS. */
function subjectOf({ source, datacenter = 'dc1', method, path, fields = [] }: Call): RbacSubject {
  const head: RequestHead = {
    ...{ version: 11, scheme: 'http', method, authority: 'api', path, bodyLength: 0, upgrade: '' },
    ...{ fields: plainFields(fields.map(([name, value]) => [name, value])), expectContinue: false },
  };
  const peerCertificate = {
    uriNames: [`spiffe://${TRUST_DOMAIN}/ns/default/dc/${datacenter}/svc/${source}`],
    ...{ dnsNames: [], subject: '', issuer: '', serialNumber: '01', sha256Fingerprint: '', chainPem: '' },
    ...{ notAfterMs: 0, pem: '' },
  };
  return {
    transport: { ...PLAINTEXT, isTls: true, peerCertificate },
    ...{ serverName: '', directRemoteAddress: '10.0.0.9', remoteAddress: '10.0.0.9' },
    ...{ destinationAddress: '10.0.0.1', destinationPort: 8080 },
    request: { head, requestEdits: new HeaderEdits() },
  };
}
