import type { OptionProblem } from '../connector.ts';
import {
  checkOptions,
  checkUrl,
  type OptionCheck,
  problem,
  transportChecks,
} from '../transport/option-checks.ts';
import type { OptionValues, Preset, PresetOption } from './preset.ts';
import { presets } from './preset-catalogue.ts';

/** Characters of a credential, a URL, or a certificate. */
const valueLengthMax = 8_192;

/** The preset that the options name, undefined where they name none that there is. */
export function presetOf(options: Record<string, unknown>): Preset | undefined {
  return typeof options.preset === 'string' ? presets.get(options.preset) : undefined;
}

/** Every problem of options that name a preset; empty when they can be obeyed. */
export function checkPresetOptions(options: Record<string, unknown>): OptionProblem[] {
  const preset = presetOf(options);
  if (preset === undefined) {
    const detail = `preset is one of ${[...presets.keys()].join(', ')}.`;
    return [problem('/preset', 'invalid_value', detail)];
  }
  const own = Object.entries(preset.options).map(([name, option]) => [name, checkOf(name, option)] as const);
  return checkOptions(options, {
    preset: () => [],
    url: (value) => (value === undefined ? [] : checkBaseUrl(value, options)),
    ...transportChecks,
    ...Object.fromEntries(own),
  });
}

/** Where messages go: the provider, or the `url` of the options in its place. */
export function presetUrl(preset: Preset, options: OptionValues): URL {
  const base = options.url ?? preset.baseUrl(options);
  return new URL(base.replace(/\/+$/, '') + preset.path(options));
}

/** The options of all presets, as the documentation of the API shows them. */
export function presetOptionSchemas(): Record<
  string,
  { type: string; maxLength: number; description: string }
> {
  const descriptions = new Map<string, string[]>();
  for (const [preset, { options }] of presets) {
    for (const [name, { required, description }] of Object.entries(options)) {
      const told = descriptions.get(name) ?? [];
      told.push(`${preset}${required ? ' (required)' : ''}: ${description}`);
      descriptions.set(name, told);
    }
  }
  return Object.fromEntries(
    [...descriptions].map(([name, told]) => [
      name,
      { type: 'string', maxLength: valueLengthMax, description: `of presets. ${told.join('; ')}` },
    ]),
  );
}

function checkBaseUrl(value: unknown, options: Record<string, unknown>): OptionProblem[] {
  const problems = checkUrl(value, options);
  if (problems.length > 0 || new URL(value as string).search === '') return problems;
  const detail = 'With a preset, url takes the place of its provider: it has no query.';
  return [problem('/url', 'invalid_value', detail)];
}

function checkOf(name: string, option: PresetOption): OptionCheck {
  const wrong = (code: string, detail: string) => [problem(`/${name}`, code, detail)];
  return (value) => {
    if (value === undefined) {
      return option.required ? wrong('required', `${name} is required: ${option.description}.`) : [];
    }
    if (typeof value !== 'string') return wrong('invalid_type', `${name} is text.`);
    // Most become headers.
    const characters = option.lines ? /^[\x20-\x7e\r\n]+$/ : /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
    if (value.length > valueLengthMax || !characters.test(value)) {
      return wrong('invalid_value', `${name} is 1 to ${valueLengthMax} visible characters of ASCII.`);
    }
    if (option.accepts === undefined || option.accepts(value)) return [];
    return wrong('invalid_value', option.problem ?? `${name} is not valid.`);
  };
}
