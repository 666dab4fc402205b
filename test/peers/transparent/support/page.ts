import { readFileSync } from 'node:fs';

/** What docs/deploy/transparent-proxy.md tells people to use. */
const PAGE = readFileSync(new URL('../../../../docs/deploy/transparent-proxy.md', import.meta.url), 'utf8');

export const SIDECAR_UID = 1337;

/** The one block in a language; a page with none or two of them is an error. */
export function blockOf(language: string): string {
  const blocks = blocksOf(language);
  if (blocks.length !== 1) throw new Error(`the page has ${blocks.length} blocks of ${language}, not one`);
  return blocks[0] ?? '';
}

/** Commands to be typed, line by line. */
export function commands(): readonly string[] {
  return blocksOf('sh').flatMap((block) => block.trim().split('\n'));
}

function blocksOf(language: string): readonly string[] {
  return [...PAGE.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, of, text = '']) => (of === language ? [text] : []));
}
