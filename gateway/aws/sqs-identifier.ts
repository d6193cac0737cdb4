// Message group ids and message deduplication ids of SQS.
import { hash } from 'node:crypto'

/** At most 128 letters, digits and ASCII punctuation [AWS SendMessage]; other texts become their hash. */
export function toSqsIdentifier(text: string): string {
  return /^[!-~]{1,128}$/.test(text) ? text : hash('sha256', text, 'base64url')
}
