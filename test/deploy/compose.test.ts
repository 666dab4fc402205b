import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fromJSONSchema } from 'zod';
import { PEERS } from '../peers/install/peers.ts';
import { composeFolder, readComposeFile, readRegistrations } from './compose-file.ts';

/**
 * The schema of the Compose specification as compose-go 2.16.2 carries it (Apache-2.0). Zod cannot read
 * `unevaluatedProperties`, with which it forbids unknown keys of a service: `propertiesOf` does that part.
 */
const SCHEMA = readFileSync(new URL('compose-spec.schema.json', import.meta.url), 'utf8');

const file = readComposeFile();
const services = Object.entries(file.services);
const registrations = readRegistrations();

test('the Compose file is valid by the schema of the Compose specification', () => {
  const schema: unknown = JSON.parse(SCHEMA);
  const known = propertiesOf(schema, field(schema, '$defs', 'service'));
  expect(known.size).toBeGreaterThan(60);
  expect(
    services.flatMap(([name, service]) =>
      Object.keys(service)
        .filter((key) => !known.has(key))
        .map((key) => `${name}.${key}`),
    ),
  ).toEqual([]);
  const read = fromJSONSchema(withoutUnevaluated(schema) as Parameters<typeof fromJSONSchema>[0]).safeParse(file);
  expect(read.error?.issues ?? []).toEqual([]);
  expect(
    fromJSONSchema(withoutUnevaluated(schema) as Parameters<typeof fromJSONSchema>[0]).safeParse({
      services: { a: { image: 1 } },
    }).success,
  ).toBe(false);
});

test('every registered service has an app and a sidecar in one network, at the registered address', () => {
  for (const { id, address, port, connect } of registrations) {
    const app = file.services[id];
    const sidecar = file.services[`${id}-sidecar`];
    expect(sidecar?.command, id).toEqual(expect.arrayContaining(['sidecar', '--proxy-id', `${id}-sidecar-proxy`]));
    expect(sidecar?.networks?.['mesh']?.ipv4_address).toBe(address);
    expect(app?.network_mode).toBe(`service:${id}-sidecar`);
    expect(app?.environment).toMatchObject({ NAME: id, PORT: String(port) });
    const calls = (app?.environment?.['CALLS'] ?? '').split(',').filter((url) => url !== '');
    const upstreams = connect.sidecar_service.proxy?.upstreams ?? [];
    expect(calls.map((url) => Number(new URL(url).port))).toEqual(
      upstreams.map((upstream) => upstream.local_bind_port),
    );
    for (const { destination_name } of upstreams)
      expect(registrations.map(({ name }) => name)).toContain(destination_name);
  }
  const sidecars = services.filter(([name]) => name.endsWith('-sidecar'));
  expect(sidecars.length).toBe(registrations.length);
});

test('addresses are unique and inside the network, and ports are published on the loopback address only', () => {
  const addresses = services.flatMap(([, { networks }]) => networks?.['mesh']?.ipv4_address ?? []);
  expect(new Set(addresses).size).toBe(addresses.length);
  const prefix = file.networks['mesh']?.ipam.config[0]?.subnet.replace(/0\/24$/, '') ?? '-';
  for (const address of addresses) expect(address.startsWith(prefix), address).toBe(true);
  for (const [name, { ports = [] }] of services)
    for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

test('whatever is referred to exists', () => {
  for (const [name, { depends_on = {}, volumes = [], build }] of services) {
    for (const other of Object.keys(depends_on)) expect(file.services, name).toHaveProperty(other);
    for (const volume of volumes) {
      const source = volume.split(':')[0] ?? '';
      if (source.startsWith('./')) expect(existsSync(join(composeFolder, source)), volume).toBe(true);
      else expect(file.volumes).toHaveProperty(source);
    }
    if (build !== undefined) expect(existsSync(join(composeFolder, build.context, build.dockerfile))).toBe(true);
  }
});

test('the control server and the sidecars keep on volumes what they start from without anybody to ask', () => {
  const mounted = (name: string): readonly string[] =>
    (file.services[name]?.volumes ?? []).flatMap((volume) => volume.split(':')[1] ?? []);
  const command = file.services['control']?.command ?? [];
  const folder = command[command.indexOf('--state-dir') + 1] ?? '';
  expect(command).toContain('--state-dir');
  expect(mounted('control').some((path) => folder.startsWith(`${path}/`))).toBe(true);
  // The image keeps a sidecar's state in its cache folder.
  for (const { id } of registrations) expect(mounted(`${id}-sidecar`)).toContain('/var/lib/weft');
});

test('images have plain names of the versions that we test against, and ours may do nothing it need not', () => {
  const others = new Map(
    services.filter(([, { build }]) => build === undefined).map(([name, { image }]) => [name, image]),
  );
  expect(others.get('consul')).toBe(`hashicorp/consul:${PEERS.consul.version}`);
  expect(others.get('jaeger')).toBe(`jaegertracing/jaeger:${PEERS.jaeger.version}`);
  // A first part with a dot or a port would be a registry's host.
  for (const [, { image }] of services) expect(image).toMatch(/^[a-z0-9-]+(\/[a-z0-9-]+)?(:[\w.-]+)?$/);
  for (const [name, service] of services.filter(([, { image }]) => image === 'weft')) {
    expect(service, name).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
  }
});

function field(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((here, key) => (here as Record<string, unknown> | undefined)?.[key], value);
}

/** The names of the properties of an object that is composed with `allOf`. */
function propertiesOf(schema: unknown, definition: unknown): ReadonlySet<string> {
  const own = Object.keys(field(definition, 'properties') ?? {});
  const parts = (field(definition, 'allOf') ?? []) as readonly unknown[];
  const reference = field(definition, '$ref');
  const referred = typeof reference === 'string' ? [field(schema, ...reference.split('/').slice(1))] : [];
  return new Set([...own, ...[...parts, ...referred].flatMap((part) => [...propertiesOf(schema, part)])]);
}

function withoutUnevaluated(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUnevaluated);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => key !== 'unevaluatedProperties');
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutUnevaluated(inner)]));
}
