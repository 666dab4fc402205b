import { describe, expect, test } from 'vitest';
import { parseGoDurationMs } from '../../../src/base/go-duration.ts';
import { parseNodeServices } from '../../../src/control/consul/parse-catalog.ts';
import { type EntryOfKind, parseConfigEntries } from '../../../src/control/consul/parse-config-entries.ts';
import type { ConfigEntryKind } from '../../../src/control/translate/config-entries.ts';
import { type ConfigEntries, type TranslatedProxy, translateProxy } from '../../../src/control/translate/translate.ts';
import type { ChainQuestion } from './chain-case.ts';
import { type ConsulChain, consulView, leadsToPeer } from './consul-view.ts';
import { CORPUS } from './corpus.ts';
import { recordedAnswers } from './recorded-answers.ts';
import { translatedView } from './translated-view.ts';

/** As the recording spells it, so that names can be compared. */
const TRUST_DOMAIN = '<trust domain>';

describe('what proxies are given for a chain is what Consul says of it', () => {
  const recorded = recordedAnswers();

  test.each(CORPUS)('$name', ({ name, questions }) => {
    const answers = recorded.get(name);
    const entries = readEntries(answers?.stored ?? []);
    for (const [at, question] of questions.entries()) {
      const answer = answers?.chains[at];
      const config = upstreamConfig(question);
      if (answer === undefined || answer.status !== 200 || config === undefined) continue;
      const chain = (answer.body as { readonly Chain: ConsulChain }).Chain;
      const proxy = translate(question, config, entries);
      if (leadsToPeer(chain)) {
        expect(proxy.problems.map(({ message }) => message).join()).toContain('cluster peering is not supported');
        continue;
      }
      const unit = proxy.units.find(({ key }) => key === `upstream ${question.service}`);
      if (unit === undefined) throw new Error(JSON.stringify(proxy.problems));
      expect(withoutRoutesOfBytes(translatedView(unit, chain.Protocol))).toEqual(
        withoutRoutesOfBytes(consulView(chain)),
      );
    }
  });
});

/** Where bytes are carried there is one cluster and no route. */
function withoutRoutesOfBytes(view: ReturnType<typeof consulView>): ReturnType<typeof consulView> {
  return view.protocol === 'tcp' ? { ...view, routes: [] } : view;
}

/** What a question overrides as an upstream's config says it; undefined where it has no word for it. */
function upstreamConfig({ overrides = {} }: ChainQuestion): object | undefined {
  const { OverrideProtocol: protocol, OverrideConnectTimeout: timeout, ...others } = overrides;
  if (Object.keys(others).length > 0) return undefined;
  const timeoutMs =
    typeof timeout === 'number' ? timeout / 1e6 : parseGoDurationMs(typeof timeout === 'string' ? timeout : '0');
  return {
    ...(protocol === undefined ? {} : { protocol }),
    ...(timeoutMs === 0 ? {} : { connect_timeout_ms: timeoutMs }),
  };
}

function translate(
  { service, datacenter = 'dc1' }: ChainQuestion,
  Config: object,
  entries: ConfigEntries,
): TranslatedProxy {
  const body = {
    Node: { Node: 'n1', Address: '10.0.0.1', Datacenter: datacenter },
    Services: [
      {
        Kind: 'connect-proxy',
        ID: 'caller-sidecar-proxy',
        Port: 21_000,
        Proxy: {
          DestinationServiceName: 'caller',
          LocalServicePort: 8080,
          Upstreams: [{ DestinationName: service, LocalBindPort: 9191, Config }],
        },
      },
    ],
  };
  const [registration] = parseNodeServices(body, undefined).proxies.values();
  if (registration === undefined) throw new Error('no registration');
  return translateProxy({ registration, entries, trustDomain: TRUST_DOMAIN });
}

function readEntries(stored: readonly unknown[]): ConfigEntries {
  const read = <K extends ConfigEntryKind>(kind: K): ReadonlyMap<string, EntryOfKind[K]> => {
    const parsed = parseConfigEntries(
      kind,
      stored.filter((entry) => (entry as { readonly Kind: string }).Kind === kind),
      undefined,
    );
    const errors = parsed.problems.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
    return parsed.entries;
  };
  return {
    proxyDefaults: read('proxy-defaults').get('global'),
    mesh: undefined,
    serviceDefaults: read('service-defaults'),
    serviceRouters: read('service-router'),
    serviceSplitters: read('service-splitter'),
    serviceResolvers: read('service-resolver'),
  };
}
