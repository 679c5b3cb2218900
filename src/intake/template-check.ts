import type { Channel } from '../message/fields.ts';
import { paramsProblem } from '../message/templates/params-problem.ts';
import type { AccountTemplates, TemplateEntry } from '../message/templates/template.ts';
import type { MessageScanner } from './message-scanner.ts';
import { ParamsGlance } from './params-glance.ts';
import { quoted, type RecordProblem } from './rejection.ts';

/** The template of a batch, for lines that name none. */
export type BatchTemplate = Pick<TemplateEntry, 'name' | 'needs'>;

/** What a message's template is judged by. */
export interface TemplateRules {
  /** Those of its account. */
  templates: AccountTemplates;
  /** What its batch sets, for lines that do not name a template, or a parameter. */
  batchTemplate?: BatchTemplate | undefined;
  batchParams?: Record<string, unknown> | undefined;
}

/** What the record that was scanned last means: `entry` where it names a template itself. */
export type CheckedTemplate = { entry?: TemplateEntry } | { problem: RecordProblem };

/** By what each template needs, for one set of rules. */
const glances = new WeakMap<TemplateRules, Map<BatchTemplate['needs'], ParamsGlance>>();

function glanceOf(needs: BatchTemplate['needs'], rules: TemplateRules): ParamsGlance {
  let known = glances.get(rules);
  if (!known) {
    known = new Map();
    glances.set(rules, known);
  }
  let glance = known.get(needs);
  if (!glance) {
    glance = new ParamsGlance(needs, rules.batchParams);
    known.set(needs, glance);
  }
  return glance;
}

/** Names of variables that a detail tells. */
const namesToldMax = 5;

/** Judges what the record that was scanned last has of templates. It has nothing of them unless `usesTemplate` says so. */
export function checkTemplate(
  scanner: MessageScanner,
  { rules, channel }: { rules: TemplateRules; channel: Channel | undefined },
): CheckedTemplate {
  const name = scanner.template;
  if (name === undefined) return checkByBatch(scanner, rules);
  const entry = rules.templates.get(name);
  if (!entry) {
    return {
      problem: { code: 'unknown_template', detail: `there is no template ${quoted(name)} of this account` },
    };
  }
  if (channel !== undefined && entry.channel !== channel) {
    const detail = `template ${quoted(name)} is for ${entry.channel}, and the route for ${channel}`;
    return { problem: { code: 'wrong_channel', detail } };
  }
  const problem = checkParams(scanner, { template: entry, rules });
  return problem ? { problem } : { entry };
}

function checkByBatch(scanner: MessageScanner, rules: TemplateRules): CheckedTemplate {
  const { batchTemplate } = rules;
  if (!batchTemplate) {
    const detail = '"params" needs a "template", of the message or of its batch';
    return scanner.hasParams ? { problem: { code: 'missing_template', detail } } : {};
  }
  if (scanner.hasText) {
    const detail = `the batch says it by template ${quoted(batchTemplate.name)}; a line cannot have "body", "html" or "subject" then`;
    return { problem: { code: 'template_and_text', detail } };
  }
  const problem = checkParams(scanner, { template: batchTemplate, rules });
  return problem ? { problem } : {};
}

function checkParams(
  scanner: MessageScanner,
  { template, rules }: { template: BatchTemplate; rules: TemplateRules },
): RecordProblem | undefined {
  const { name, needs } = template;
  if (needs.required.length + needs.optional.length === 0) return undefined;
  if (glanceOf(needs, rules).isFine(...scanner.paramsPlace)) return undefined;
  const found = paramsProblem(needs, { own: scanner.readParams(), defaults: rules.batchParams });
  if (!found) return undefined;
  const told = found.names.slice(0, namesToldMax).map(quoted).join(', ');
  const more = found.names.length > namesToldMax ? ` and ${found.names.length - namesToldMax} more` : '';
  return found.code === 'missing_params'
    ? { code: found.code, detail: `template ${quoted(name)} needs ${told}${more} in "params"` }
    : {
        code: found.code,
        detail: `template ${quoted(name)} shows ${told}${more}: a text, a number, true or false`,
      };
}
