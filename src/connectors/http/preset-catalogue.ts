import type { Preset } from './preset.ts';
import { bird } from './presets/bird.ts';
import { mailgun } from './presets/mailgun.ts';
import { postmark } from './presets/postmark.ts';
import { sendgrid } from './presets/sendgrid.ts';
import { ses } from './presets/ses.ts';
import { sinch } from './presets/sinch.ts';
import { twilio } from './presets/twilio.ts';
import { vonage } from './presets/vonage.ts';

/** The providers that a route may name as its `preset`. */
export const presets: ReadonlyMap<string, Preset> = new Map(
  Object.entries({ bird, mailgun, postmark, sendgrid, ses, sinch, twilio, vonage }),
);
