import { PARTLY_REFUSED, READ_WITHOUT_EFFECT, WITHOUT_EFFECT } from './field-notes.ts';
import type { MessageFields } from './field-states.ts';

const HEAD = `# Fields that a sidecar honours

Every field of every message that reaches a sidecar over xDS or in a bootstrap, made from the decoders themselves by
\`WEFT_RECORD=1 npx vitest run test/conformance/xds-fields\`; the same test fails where this page is not what they do.

- **Honoured**: does what Envoy's documentation says. What stands in brackets is refused.
- **No effect**: accepted and not obeyed, for the reason given.
- **Refused**: the resource is NACKed and the field named, because passing over it would change where requests go, who may
  send them, or what an application sees.

A field that stands nowhere here belongs to a message that is refused as a whole, or is younger than our \`proto/\`: then it
has no effect, and a warning in the log names it.
`;

/** The page, package by package. */
export function fieldsPage(messages: ReadonlyMap<string, MessageFields>): string {
  const parts = [HEAD];
  let lastPackage = '';
  for (const [typeName, fields] of messages) {
    const [packageName, messageName] = splitName(typeName);
    if (packageName !== lastPackage) parts.push(`## ${packageName}\n`);
    lastPackage = packageName;
    parts.push(`### ${messageName}\n\n| state | fields |\n|---|---|\n${rows(typeName, fields).join('\n')}\n`);
  }
  return parts.join('\n');
}

/** Packages are written small, messages and what is nested in them large. */
function splitName(typeName: string): readonly [packageName: string, messageName: string] {
  const parts = typeName.split('.');
  const first = parts.findIndex((part) => /^[A-Z]/.test(part));
  return [parts.slice(0, first).join('.'), parts.slice(first).join('.')];
}

function rows(typeName: string, { read, refused }: MessageFields): readonly string[] {
  const partly = PARTLY_REFUSED[typeName] ?? {};
  const unobeyed = READ_WITHOUT_EFFECT[typeName] ?? {};
  const honoured = [...read, ...refused].filter(
    (field) => (read.has(field) || field in partly) && !(field in unobeyed),
  );
  const refusedWhole = [...refused].filter((field) => !(field in partly));
  const withoutEffect = [
    ...Object.entries(WITHOUT_EFFECT[typeName] ?? {}).map(([why, names]) => `${code(names)}: ${why}`),
    ...Object.entries(unobeyed).map(([field, why]) => `\`${field}\`: ${why}`),
  ];
  const withCondition = honoured.map((field) => (field in partly ? `\`${field}\` (${partly[field]})` : `\`${field}\``));
  return [
    ...(honoured.length > 0 ? [`| honoured | ${withCondition.join(' · ')} |`] : []),
    ...(withoutEffect.length > 0 ? [`| no effect | ${withoutEffect.join('<br>')} |`] : []),
    ...(refusedWhole.length > 0 ? [`| refused | ${code(refusedWhole)} |`] : []),
  ];
}

function code(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(' · ');
}
