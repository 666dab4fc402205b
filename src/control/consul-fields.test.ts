import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { kindNamed } from '../registry/config-entry/config-entry.ts';
import { SERVICE_SHAPE } from '../registry/input/service-shape.ts';
import type { Shape } from '../registry/input/shape.ts';
import { analyze, type Finding } from './analyze.ts';
import { parseNodeServices } from './consul/parse-catalog.ts';
import { parseConfigEntries } from './consul/parse-config-entries.ts';
import { type Entry, HTTP_MESH } from './testing/catalog-fixtures.ts';
import { contextOf, FIELD_SAMPLES, type FieldSample } from './testing/consul-field-samples.ts';
import { CONFIG_ENTRY_KINDS, type ConfigEntryKind } from './translate/config-entries.ts';
import { CONSUL_FIELDS, type FieldHolder, type FieldRow } from './translate/consul-fields.ts';
import { nodeName, serviceId, translateProxy } from './translate/translate.ts';

const PAGE = new URL('../../docs/consul-fields.md', import.meta.url);
const HOLDERS: readonly FieldHolder[] = [...CONFIG_ENTRY_KINDS, 'registration'];

type Fields = Readonly<Record<string, unknown>>;

/** What names an entry, and says nothing else. */
const NAMES: ReadonlySet<string> = new Set(['Kind', 'Name', 'Meta']);
/** Of shapes that are used in two places: here Consul refuses them. */
const REFUSED: ReadonlySet<string> = new Set(['service-defaults UpstreamConfig.Defaults.Name', 'mesh Name']);
/** Obeyed whatever it says, and obeyed by Consul itself. */
const ALWAYS = 'HTTP.SanitizeXForwardedClientCert';
const BY_CONSUL = 'AllowEnablingPermissiveMutualTLS';
/** What agents write into a registration in the catalog, and nobody else can. */
const OF_AGENTS: ReadonlySet<string> = new Set(['MutualTLSMode']);

const ENTRY_NAMES: Readonly<Record<ConfigEntryKind, string>> = {
  'proxy-defaults': 'global',
  'service-defaults': 'web',
  'service-router': 'api',
  'service-splitter': 'api',
  'service-resolver': 'api',
  mesh: 'mesh',
};

/** Every field that the shape has, in the table's notation. */
function fieldsOf(shape: Shape, path = ''): readonly string[] {
  if (typeof shape === 'string') return [path];
  if ('list' in shape) return typeof shape.list === 'string' ? [path] : fieldsOf(shape.list, `${path}[]`);
  if ('map' in shape) return typeof shape.map === 'string' ? [path] : fieldsOf(shape.map, `${path}.*`);
  return Object.entries(shape.fields).flatMap(([name, field]) =>
    fieldsOf(field, path === '' ? name : `${path}.${name}`),
  );
}

function shapeOf(holder: FieldHolder): Shape {
  if (holder !== 'registration') return kindNamed(holder).shape;
  const shape =
    typeof SERVICE_SHAPE !== 'string' && 'fields' in SERVICE_SHAPE ? SERVICE_SHAPE.fields['Proxy'] : undefined;
  if (shape === undefined) throw new Error('a registration without a proxy block');
  return shape;
}

/** A copy with a value at a path; items of lists are the first ones. */
function withField(fields: Fields, path: string, value: unknown, insteadOf?: string): Fields {
  const copy: Record<string, unknown> = structuredClone({ ...fields });
  const steps = path.split('.').flatMap((step) => (step.endsWith('[]') ? [step.slice(0, -2), '0'] : [step]));
  let at: Record<string, unknown> = copy;
  steps.forEach((step, depth) => {
    if (depth === steps.length - 1) {
      if (insteadOf !== undefined) delete at[insteadOf];
      at[step] = value;
      return;
    }
    at[step] ??= steps[depth + 1] === '0' ? [] : {};
    at = at[step] as Record<string, unknown>;
  });
  return copy;
}

interface World {
  readonly resources: string;
  readonly findings: readonly Finding[];
}

/** The sidecar of web, which calls api, with this said of it by an entry or by its registration. */
function worldWith(
  holder: FieldHolder,
  fields: Fields,
  {
    entries: beside = [],
    isOfMutualTls = false,
  }: Pick<FieldSample, 'entries'> & { readonly isOfMutualTls?: boolean } = {},
): World {
  const proxy = {
    ...{ DestinationServiceName: 'web', DestinationServiceID: 'web-1', LocalServicePort: 8080 },
    Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191 }],
    ...(holder === 'registration' ? fields : {}),
  };
  const service = { Kind: 'connect-proxy', ID: 'web-1-sidecar-proxy', Address: '10.0.0.1', Port: 21_000, Proxy: proxy };
  const node = { Node: { Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc1' }, Services: [service] };
  const said: readonly Entry[] =
    holder === 'registration' ? [] : [{ ...HTTP_MESH, Kind: holder, Name: ENTRY_NAMES[holder], ...fields }];
  const general = holder === 'proxy-defaults' ? [] : [HTTP_MESH];
  const entries = [...general, ...beside, ...said].map(({ Config, ...entry }) =>
    entry.Kind === 'proxy-defaults' ? { Config, ...entry } : entry,
  );
  const read = <K extends ConfigEntryKind>(kind: K) =>
    parseConfigEntries(
      kind,
      entries.filter(({ Kind }) => Kind === kind),
      undefined,
    ).entries;
  const registration = parseNodeServices(node, undefined).proxies.get(serviceId('web-1-sidecar-proxy'));
  if (registration === undefined) throw new Error(`no registration: ${JSON.stringify(proxy)}`);
  const check = { node: nodeName('n1'), checkId: 'c', serviceId: 'web-2', listenerPort: 21_500, kind: 'grpc' } as const;
  const translated = translateProxy({
    registration,
    trustDomain: 'mesh.consul',
    mutualTls: isOfMutualTls ? { mode: 'strict', intentions: { intentions: [], defaultPolicy: 'allow' } } : undefined,
    exposedChecks: [check, { ...check, serviceId: 'web-1', listenerPort: 21_501 }],
    entries: {
      proxyDefaults: read('proxy-defaults').get('global'),
      mesh: read('mesh').get('mesh'),
      serviceDefaults: read('service-defaults'),
      serviceRouters: read('service-router'),
      serviceSplitters: read('service-splitter'),
      serviceResolvers: read('service-resolver'),
    },
  });
  expect(translated.units.length + translated.faultyUnits.length).toBeGreaterThan(1);
  return { resources: JSON.stringify(translated.units), findings: analyze({ entries, nodes: [node] }) };
}

const rowsOf = (standing: FieldRow['standing']): readonly (readonly [FieldHolder, string, FieldRow])[] =>
  HOLDERS.flatMap((holder) =>
    Object.entries(CONSUL_FIELDS[holder])
      .filter(([, row]) => row.standing === standing)
      .map(([path, row]) => [holder, path, row] as const),
  );

describe("the table of Consul's fields", () => {
  test.each(HOLDERS)('has every field of %s that Consul takes, and no other', (holder) => {
    const table = Object.keys(CONSUL_FIELDS[holder]).filter(
      (path) => !OF_AGENTS.has(path) || holder !== 'registration',
    );
    const taken = fieldsOf(shapeOf(holder)).filter((path) => !REFUSED.has(`${holder} ${path}`));
    // A map whose keys nobody checks is told key by key.
    const keys = (path: string): readonly string[] => table.filter((row) => row.startsWith(`${path}.`));
    expect([...table].sort()).toEqual(taken.flatMap((path) => (keys(path).length > 0 ? keys(path) : [path])).sort());
  });

  test.each(rowsOf('obeyed').filter(([, path]) => path !== ALWAYS && path !== BY_CONSUL))(
    '%s: %s makes a difference',
    (holder, path) => {
      const sample: FieldSample | undefined = FIELD_SAMPLES[holder][path];
      if (sample === undefined) return expect(NAMES.has(path)).toBe(true);
      const before = worldWith(holder, sample.beside ?? {}, sample);
      const after = worldWith(holder, withField(sample.beside ?? {}, path, sample.value, sample.insteadOf), sample);
      expect(after.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
      if (sample.isOfMutualTls !== true) expect(after.findings).toEqual(before.findings);
      expect(after.resources).not.toBe(before.resources);
    },
  );

  test.each(rowsOf('notObeyed'))('%s: %s is named by entry and field', (holder, path, row) => {
    if (row.standing !== 'notObeyed') return;
    const context = contextOf(holder, path);
    const sample = FIELD_SAMPLES[holder][path];
    const set = withField(sample?.beside ?? context, path, sample?.value ?? valueFor(path));
    const { findings } = worldWith(holder, set);
    const written = path.replaceAll('[]', '[0]');
    if (row.namedBy === 'translation') {
      const named = findings.filter(({ message }) => /peer|Envoy configuration/.test(message));
      expect(named, JSON.stringify(findings)).not.toEqual([]);
    } else if (holder === 'registration') {
      const snake = written.replace('TLS', 'Tls').replace(/^Upstreams\[0\]\./, '');
      const field = `${path.startsWith('Upstreams') ? '' : 'proxy.'}${snake.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase()}`;
      expect(findings).toContainEqual(
        expect.objectContaining({ severity: 'warning', field, message: expect.stringContaining(row.why) as string }),
      );
    } else {
      expect(findings).toContainEqual(
        expect.objectContaining({
          ...{ severity: 'warning', kind: holder, name: ENTRY_NAMES[holder], field: written },
          message: expect.stringContaining(`is not obeyed: ${row.why}`) as string,
        }),
      );
    }
    if (row.harmless.length > 0) {
      const quiet = worldWith(holder, withField(sample?.beside ?? context, path, row.harmless[0]));
      expect(quiet.findings).toEqual([]);
    }
  });

  test("throws away what a caller wrote of its certificate, whatever the mesh's entry says of it", () => {
    for (const value of [true, false]) {
      expect(worldWith('mesh', withField({}, ALWAYS, value)).resources).not.toMatch(/FORWARD/);
    }
  });

  /** `WEFT_WRITE_DOCS=1` writes the page anew. */
  test('is the page of the documentation', () => {
    const page = pageText();
    if (process.env['WEFT_WRITE_DOCS'] === '1') writeFileSync(PAGE, page);
    expect(readFileSync(PAGE, 'utf8')).toBe(page);
  });
});

function valueFor(path: string): unknown {
  if (/(?:Regions|Addresses|CipherSuites)$/.test(path)) return ['x'];
  if (/EnvoyExtensions$/.test(path)) return [{ Name: 'builtin/lua' }];
  if (/Port$/.test(path)) return 15_001;
  if (/(?:DialedDirectly|Only|Clusters|Gateways)$/.test(path)) return true;
  return path === 'Mode' ? 'transparent' : 'x';
}

function pageText(): string {
  const titles: Readonly<Record<FieldHolder, string>> = {
    'proxy-defaults': 'proxy-defaults',
    'service-defaults': 'service-defaults',
    'service-router': 'service-router',
    'service-splitter': 'service-splitter',
    'service-resolver': 'service-resolver',
    mesh: 'mesh',
    registration: 'The proxy block of a registration',
  };
  const sections = HOLDERS.flatMap((holder) => [
    `## ${titles[holder]}`,
    '',
    '| field | obeyed | |',
    '|---|---|---|',
    ...Object.entries(CONSUL_FIELDS[holder]).map(([path, row]) => `| \`${path}\` | ${lineOf(row)} |`),
    '',
  ]);
  return [
    "# Consul's fields",
    '',
    'Every field that Consul 1.22 takes in these entries and in the proxy block of a registration, and what Weft makes of it.',
    'What is not obeyed is a warning with entry and field by `weft analyze`, on the console and in the log; the rest of the',
    'entry is in force. `[]` is any item of a list, `*` any key of a map. Made from `src/control/translate/consul-fields.ts`.',
    '',
    ...sections,
  ]
    .join('\n')
    .replace(/\n+$/, '\n');
}

function lineOf(row: FieldRow): string {
  if (row.standing === 'obeyed') return `yes | ${row.does}`;
  const but = row.harmless.length === 0 ? '' : ` (${row.harmless.map((word) => `\`${word}\``).join(', ')}: as it is)`;
  return `**no** | ${row.why}${but}`;
}
