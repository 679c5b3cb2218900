import type { Channel } from '../fields.ts';
import { findNeeds, type TemplateNeeds } from './find-needs.ts';
import { parseText, type TextNode } from './parse-text.ts';
import { countFilters, refuseMistakes } from './refuse-mistakes.ts';
import { compileText, type Params, type Work } from './render-text.ts';
import { BadTemplateError, positionIn, RenderError } from './template-error.ts';
import { templateLimits } from './template-limits.ts';

/** The texts of a template; `subject` and `html` only of the channel `email`. */
export interface TemplateTexts {
  subject?: string;
  body?: string;
  html?: string;
}

export const textNames = ['subject', 'body', 'html'] as const satisfies (keyof TemplateTexts)[];

/** One version of a template: it never changes. */
export interface TemplateVersion extends TemplateTexts {
  /** Of this version alone, in the whole installation. */
  id: number;
  name: string;
  /** Counts from 1 within the template. */
  version: number;
  channel: Channel;
}

export interface CompiledTemplate {
  needs: TemplateNeeds;
  /** @throws RenderError naming the text */
  render(params: Params): TemplateTexts;
}

/** Why a text cannot be taken, and where. */
export interface TextProblem {
  text: keyof TemplateTexts;
  line: number;
  column: number;
  detail: string;
}

/** Every text that is no template; then `needs` is not there. `filters` counts those of all texts that are one. */
export function checkTexts(texts: TemplateTexts): {
  problems: TextProblem[];
  needs?: TemplateNeeds;
  filters: number;
} {
  const problems: TextProblem[] = [];
  const parsed: TextNode[][] = [];
  for (const text of textNames) {
    const source = texts[text];
    if (source === undefined) continue;
    try {
      refuseUnkeepable(source);
      if (text === 'subject') refuseLineBreaks(source);
      const nodes = parseText(source);
      refuseMistakes(source, nodes);
      parsed.push(nodes);
    } catch (error) {
      if (!(error instanceof BadTemplateError)) throw error;
      problems.push({ text, line: error.line, column: error.column, detail: error.message });
    }
  }
  const filters = countFilters(parsed.flat());
  return problems.length > 0 ? { problems, filters } : { problems, filters, needs: findNeeds(parsed) };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding it is its purpose
const unkeepable = /\u0000|\p{Surrogate}/u;

/** What a text of PostgreSQL cannot hold. */
function refuseUnkeepable(text: string): void {
  const at = text.search(unkeepable);
  if (at === -1) return;
  const detail = 'a template cannot hold U+0000 or half of a surrogate pair';
  throw new BadTemplateError(detail, positionIn(text, at));
}

function refuseLineBreaks(subject: string): void {
  const column = subject.search(lineBreaks) + 1;
  if (column > 0)
    throw new BadTemplateError('a subject has no line breaks or control characters', [1, column]);
}

/**
 * Takes what `checkTexts` takes, and what earlier releases took: a stored version never changes.
 * @throws BadTemplateError for texts that cannot be read
 */
export function compileTemplate(texts: TemplateTexts): CompiledTemplate {
  const parsed = textNames.flatMap((name) => {
    const text = texts[name];
    return text === undefined ? [] : [{ name, nodes: parseText(text) }];
  });
  const renders = parsed.map(({ name, nodes }) => ({ name, render: rendererOf(name, nodes) }));
  return {
    needs: findNeeds(parsed.map(({ nodes }) => nodes)),
    render(params) {
      const rendered: TemplateTexts = {};
      const work = { charsLeft: templateLimits.workCharsMax };
      for (const { name, render } of renders) rendered[name] = named(name, () => render(params, work));
      return rendered;
    },
  };
}

function rendererOf(name: keyof TemplateTexts, nodes: TextNode[]): (params: Params, work: Work) => string {
  const { subjectCharsMax, textCharsMax } = templateLimits;
  switch (name) {
    case 'subject': {
      const render = compileText(nodes, { escape: onOneLine, charsMax: subjectCharsMax });
      return (params, work) => render(params, work).trim();
    }
    case 'body':
      return compileText(nodes, { escape: (text) => text, charsMax: textCharsMax });
    case 'html':
      return compileText(nodes, { escape: escapeHtml, charsMax: textCharsMax });
  }
}

function named(name: keyof TemplateTexts, render: () => string): string {
  try {
    return render();
  } catch (error) {
    // Whatever it is, the message fails by itself. What the engine says may quote its parameters.
    const detail = error instanceof RenderError ? error.message : 'it cannot be rendered';
    throw new RenderError(`${name}: ${detail}`, { cause: error });
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is its purpose
const lineBreaks = /[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g;

/** A subject is a header: with a line break in it somebody could write headers of their own. */
function onOneLine(text: string): string {
  return text.replace(lineBreaks, ' ');
}

const htmlEscapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return /[&<>"']/.test(text) ? text.replace(/[&<>"']/g, (char) => htmlEscapes[char]!) : text;
}
