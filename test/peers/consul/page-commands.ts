/** The commands of a documentation page, read from its fences so that page and test cannot drift. */

export interface PageCommand {
  /** `run`: to its end in the reader's shell. `own-terminal`: a program that stays. */
  readonly kind: 'run' | 'own-terminal';
  /** The heading it stands under. */
  readonly section: string;
  readonly line: number;
  readonly script: string;
  /** What the page shows beneath it, line by line; `…` stands for anything. */
  readonly shown: readonly string[];
}

interface Fence {
  readonly info: string;
  readonly section: string;
  readonly line: number;
  readonly text: string;
}

/** Throws on a fence of a kind that nobody would run or compare: no command escapes the test by its spelling. */
export function pageCommands(markdown: string): readonly PageCommand[] {
  const commands: PageCommand[] = [];
  for (const fence of fences(markdown)) {
    const { info, section, line, text } = fence;
    const last = commands.at(-1);
    if (info === 'sh' || info === 'sh own-terminal') {
      commands.push({ kind: info === 'sh' ? 'run' : 'own-terminal', section, line, script: text, shown: [] });
    } else if (info !== 'text') {
      throw new Error(
        `line ${line}: a fence of "${info}"; write sh, sh own-terminal, or text for what a command prints`,
      );
    } else if (last?.section === section) {
      if (last.shown.length > 0) throw new Error(`line ${line}: two outputs for the command of line ${last.line}`);
      commands[commands.length - 1] = { ...last, shown: text.split('\n').filter((shown) => shown.trim() !== '') };
    }
  }
  return commands;
}

/** The pattern that a shown line stands for. */
export function shownPattern(shown: string): RegExp {
  return new RegExp(
    shown
      .trim()
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*'),
  );
}

/** The page's `export NAME=value` lines with other values. Throws where the page has other names than `values`. */
export function withValues(script: string, values: Readonly<Record<string, string>>): string {
  const open = new Set(Object.keys(values));
  const replaced = script.replace(/^export (\w+)=.*$/gm, (_, name: string) => {
    const value = values[name];
    if (value === undefined || !open.delete(name)) throw new Error(`no single value for ${name} of the page`);
    return `export ${name}=${value}`;
  });
  if (open.size > 0) throw new Error(`the page no longer sets ${[...open].join(', ')}`);
  return replaced;
}

function* fences(markdown: string): Generator<Fence> {
  const lines = markdown.split('\n');
  let section = '';
  let open: { readonly info: string; readonly from: number } | undefined;
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('```')) {
      if (open === undefined && line.startsWith('## ')) section = line.slice(3);
    } else if (open === undefined) {
      open = { info: line.slice(3).trim(), from: index + 1 };
    } else {
      yield { info: open.info, section, line: open.from, text: lines.slice(open.from, index).join('\n') };
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`line ${open.from}: a fence that never closes`);
}
