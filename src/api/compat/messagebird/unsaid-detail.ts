import type { Route } from '../../../message/route.ts';
import type { ClassicDetails } from './classic-message.ts';

/**
 * The field of a message that its provider would not hear of, and would take the message for another one without;
 * undefined when there is none. What the metadata say goes out by the `http` connector, where no template leaves it out.
 */
export function unsaidDetail({ type, mclass, udh }: ClassicDetails, route: Route): string | undefined {
  const says = (member: keyof ClassicDetails) => saysMember(route, member);
  const isFlash = type === 'flash';
  if (type === 'binary' && !says('type')) return 'type';
  if (isFlash && !says('type') && !says('mclass')) return 'type';
  if (mclass !== (isFlash ? 0 : 1) && !says('mclass')) return 'mclass';
  if (udh !== undefined && !says('udh')) return 'typeDetails';
  return undefined;
}

function saysMember({ connector, options }: Route, member: keyof ClassicDetails): boolean {
  if (connector !== 'http') return false;
  const { bodyTemplate } = options;
  if (bodyTemplate === undefined) return true;
  const names = [...JSON.stringify(bodyTemplate).matchAll(/\{\{\s*([\w.-]+)\s*\}\}/g)].map(
    ([, name]) => name,
  );
  const telling = ['metadata', 'metadata.messagebird', `metadata.messagebird.${member}`];
  return names.some((name) => telling.includes(name!));
}
