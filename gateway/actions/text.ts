// SQS and SNS carry characters, not bytes, and of those only XML's: what a body must be to travel, and how it is made to.
import { isAscii, isUtf8 } from 'node:buffer'
import { GatewayError } from '../errors.ts'

// #x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD | #x10000-#x10FFFF [AWS SendMessage, W3C XML 1.0 §2.2]
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const notXml = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/
const escapable = /[\ud800-\udfff\ufffe\uffff]/g

/**
 * The body as text that SQS and SNS accept. JSON keeps its meaning while characters above U+FFFF become escapes,
 * which emulators want and AWS does not mind. Throws BODY_NOT_TEXT for anything that cannot be carried.
 */
export function toText(body: string | Uint8Array): string {
  if (typeof body === 'string') return escaped(body)
  const bytes = filled(body)
  if (isAscii(bytes)) return checked(bytes.toString('latin1'))
  if (!isUtf8(bytes)) throw new GatewayError('BODY_NOT_TEXT', 'the body is not UTF-8 text; useBase64 carries any bytes')
  const text = bytes.toString()
  return checked(text.search(escapable) >= 0 && isJson(text) ? escaped(text) : text)
}

export function toBase64(body: string | Uint8Array): string {
  return filled(toBytes(body)).toString('base64')
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The bytes of a text, or a buffer over the same bytes, without copying them. */
export function toBytes(body: string | Uint8Array): Buffer {
  if (typeof body === 'string') return Buffer.from(body)
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

function filled(body: Uint8Array): Buffer {
  if (body.length === 0) throw new GatewayError('BODY_NOT_TEXT', 'the body is empty, and a message has at least one character')
  return toBytes(body)
}

function checked(text: string): string {
  const at = text.search(notXml)
  if (at < 0) return text
  const character = `U+${text.charCodeAt(at).toString(16).toUpperCase().padStart(4, '0')}`
  throw new GatewayError('BODY_NOT_TEXT', `character ${character} at ${at} cannot be carried as text; useBase64 carries any bytes`)
}

/** JSON has no control characters but as escapes, so these are all that XML cannot carry. ASCII, which most of it is, has none. */
function escaped(json: string): string {
  return Buffer.byteLength(json) === json.length ? json : json.replace(escapable, toEscape)
}

function toEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16)}`
}
