import { describe, expect, it } from 'vitest';
import { isTest, type SourceFile, sourceFiles, withoutComments } from './source-files.ts';

/** Rooms from the top down (ARCHITECTURE.md). A room imports only itself and rooms after it. */
const ROOMS = [
  'cli',
  'demo',
  'control',
  'control/consul',
  'control/translate',
  'control/snapshot',
  'control/console',
  'sidecar',
  'sidecar/process',
  'sidecar/config',
  'sidecar/listener',
  'sidecar/connection-manager',
  'sidecar/filter/router',
  'sidecar/filter',
  'sidecar/route',
  'sidecar/cluster',
  'sidecar/balancer',
  'sidecar/pool',
  'registry',
  'discovery-chain',
  'admin',
  'xds',
  'http',
  'transport-socket',
  'telemetry',
  'resource',
  'base',
] as const;

const files = sourceFiles('src');
const product = files.filter((file) => !isTest(file.path));

function roomOf(path: string): string | undefined {
  const inside = path.slice('src/'.length);
  return [...ROOMS]
    .sort((a, b) => b.length - a.length)
    .find((room) => inside === room || inside.startsWith(`${room}/`));
}

function offenders(where: (file: SourceFile) => boolean, what: (file: SourceFile) => readonly string[]): string[] {
  return product.filter(where).flatMap((file) => what(file).map((found) => `${file.path}: ${found}`));
}

const inRooms =
  (...rooms: readonly string[]) =>
  (file: SourceFile): boolean =>
    rooms.some((room) => file.path.startsWith(`src/${room}/`) || file.path === `src/${room}.ts`);
const outside =
  (...rooms: readonly string[]) =>
  (file: SourceFile): boolean =>
    !inRooms(...rooms)(file);
const packagesLike = (pattern: RegExp) => (file: SourceFile) => file.packages.filter((name) => pattern.test(name));

describe('rooms', () => {
  it('every file belongs to a room of the map', () => {
    expect(files.filter((file) => roomOf(file.path) === undefined).map((file) => file.path)).toEqual([]);
  });

  it('no room imports a room above it', () => {
    const rank = (path: string): number => ROOMS.indexOf((roomOf(path) ?? 'cli') as (typeof ROOMS)[number]);
    const upward = offenders(
      () => true,
      (file) => file.imports.filter((target) => target.startsWith('src/') && rank(target) < rank(file.path)),
    );
    expect(upward).toEqual([]);
  });

  it('control and sidecar meet only on the wire', () => {
    expect(
      offenders(inRooms('control'), (file) => file.imports.filter((target) => target.startsWith('src/sidecar/'))),
    ).toEqual([]);
    expect(
      offenders(inRooms('sidecar'), (file) => file.imports.filter((target) => target.startsWith('src/control/'))),
    ).toEqual([]);
    expect(
      offenders(inRooms('registry'), (file) =>
        file.imports.filter((target) => /^src\/(?:control|sidecar)\//.test(target)),
      ),
    ).toEqual([]);
  });

  it('no import cycle, type-only imports included', () => {
    expect(findCycle(files)).toEqual([]);
  });

  it('each room has a door that opens by saying what the room is for', () => {
    const doors = ROOMS.filter(
      (room) => !room.endsWith('.ts') && files.some((file) => roomOf(file.path) === room),
    ).filter((room) => {
      const name = room.slice(room.lastIndexOf('/') + 1);
      const door = files.find((file) => file.path === `src/${room}/${name}.ts`);
      return !(room === 'cli' || room === 'resource' || room === 'base' || door?.text.trimStart().startsWith('/**'));
    });
    expect(doors).toEqual([]);
  });
});

describe('who may know what', () => {
  it('pure rooms touch no socket, file, timer, wall clock or chance', () => {
    const pure = inRooms(
      'sidecar/balancer',
      'sidecar/route',
      'control/translate',
      'discovery-chain',
      'resource',
      'base',
    );
    // base holds the two system sources themselves; resource reads its own proto files once.
    const exempt = new Set([
      'src/base/clock.ts',
      'src/base/random.ts',
      'src/resource/proto-files.ts',
      'src/resource/protos.ts',
    ]);
    const where = (file: SourceFile): boolean => pure(file) && !exempt.has(file.path);
    const forbidden =
      /\b(?:setTimeout|setInterval|setImmediate|Date\.now|performance\.now|Math\.random|crypto\.random\w*|process\.hrtime)\b|\bnew Date\(\)/g;
    expect(offenders(where, (file) => withoutComments(file.text).match(forbidden) ?? [])).toEqual([]);
    expect(
      offenders(
        where,
        packagesLike(/^node:(?:net|tls|http|https|http2|dgram|dns|fs|child_process|worker_threads|timers)/),
      ),
    ).toEqual([]);
  });

  it("only control/consul knows Consul's client", () => {
    expect(offenders(outside('control/consul'), packagesLike(/^consul$/))).toEqual([]);
  });

  it('only xds and resource know gRPC and the loaded protos', () => {
    expect(
      offenders(outside('xds', 'resource', 'telemetry/otlp-receiver'), packagesLike(/^(?:@grpc\/|protobufjs)/)),
    ).toEqual([]);
  });

  it('only telemetry imports OpenTelemetry', () => {
    expect(offenders(outside('telemetry'), packagesLike(/^@opentelemetry\//))).toEqual([]);
  });

  it('only cli reads the environment and arguments, or exits', () => {
    const forbidden = /\bprocess\.(?:env|argv|exit|exitCode)\b/g;
    expect(offenders(outside('cli'), (file) => withoutComments(file.text).match(forbidden) ?? [])).toEqual([]);
  });

  it('the data path stays off node:http, node:http2 and Node streams', () => {
    const dataPath = inRooms(
      'sidecar/listener',
      'sidecar/connection-manager',
      'sidecar/filter',
      'sidecar/pool',
      'http',
    );
    expect(offenders(dataPath, packagesLike(/^node:(?:http|https|http2|stream)/))).toEqual([]);
  });
});

describe('the repository', () => {
  it('every file is reachable from a program or a test', () => {
    const all = [...files, ...sourceFiles('test', 'bench', 'deploy')];
    const byPath = new Map(all.map((file) => [file.path, file]));
    const roots = all
      .filter((file) => isTest(file.path) || /^(?:bench|deploy)\/|\/main\.ts$/.test(file.path))
      .map((file) => file.path);
    const reached = new Set<string>();
    while (roots.length > 0) {
      const path = roots.pop();
      if (path === undefined || reached.has(path)) continue;
      reached.add(path);
      roots.push(...(byPath.get(path)?.imports ?? []));
    }
    expect(files.map((file) => file.path).filter((path) => !reached.has(path))).toEqual([]);
  });

  it('no file of src is longer than 450 lines', () => {
    expect(product.filter((file) => file.text.split('\n').length > 451).map((file) => file.path)).toEqual([]);
  });

  it('no muted checks and no unfinished marks', () => {
    const forbidden = new RegExp(
      [
        'TO' + 'DO',
        'FIX' + 'ME',
        '@ts-' + '(?:ignore|expect-error|nocheck)',
        'biome-' + 'ignore',
        'oxlint-' + 'disable',
        'as an' + 'y\\b',
      ].join('|'),
      'g',
    );
    expect(
      files.flatMap((file) =>
        (withoutComments(file.text).match(forbidden) ?? []).map((found) => `${file.path}: ${found}`),
      ),
    ).toEqual([]);
  });
});

/** The first cycle found, as a list of files, or an empty list. */
function findCycle(all: readonly SourceFile[]): string[] {
  const byPath = new Map(all.map((file) => [file.path, file]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] => {
    const at = trail.indexOf(path);
    if (at >= 0) return [...trail.slice(at), path];
    if (done.has(path)) return [];
    for (const target of byPath.get(path)?.imports ?? []) {
      const cycle = visit(target, [...trail, path]);
      if (cycle.length > 0) return cycle;
    }
    done.add(path);
    return [];
  };
  for (const file of all) {
    const cycle = visit(file.path, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
