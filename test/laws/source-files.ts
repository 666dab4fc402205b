import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface SourceFile {
  /** From the repository's root, with forward slashes: `src/base/clock.ts`. */
  readonly path: string;
  readonly text: string;
  /** Files of the repository it imports, type-only imports included. */
  readonly imports: readonly string[];
  /** Packages and node: modules it imports. */
  readonly packages: readonly string[];
}

/** Import and export … from, import(…), new URL('…', import.meta.url) and import('…') in types. */
const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(?\s*|\bnew URL\(\s*)(['"])([^'"\n]+)\1/g;

export function sourceFiles(...folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
      .map((name) => readSource(join(folder, name).replaceAll('\\', '/'))),
  );
}

export function isTest(path: string): boolean {
  return /\.(?:test|bench)\.ts$/.test(path);
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const specifiers = [...withoutComments(text).matchAll(SPECIFIER)].map((match) => match[2] ?? '');
  const imports = specifiers
    .filter((specifier) => specifier.startsWith('.') && specifier.endsWith('.ts'))
    .map((specifier) => relative(ROOT, normalize(join(ROOT, dirname(path), specifier))).replaceAll('\\', '/'));
  const packages = specifiers.filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('/'));
  return { path, text, imports, packages };
}

export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');
}
