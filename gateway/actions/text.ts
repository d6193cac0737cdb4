// SQS and SNS carry characters, not bytes, and of those only XML's: what a body must be to travel, and how it is made to.
import { isUtf8 } from 'node:buffer'
import { GatewayError } from '../errors.ts'
import { type Body, bytesOf, type Chunks, chunksOf, JsonText } from '../message/body.ts'

// #x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD | #x10000-#x10FFFF [AWS SendMessage, W3C XML 1.0 §2.2]
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const notXml = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/
const escapable = /[\ud800-\udfff\ufffe\uffff]/g

/**
 * The body as text that SQS and SNS accept. JSON keeps its meaning while characters above U+FFFF become escapes,
 * which emulators want and AWS does not mind. Throws BODY_NOT_TEXT for anything that cannot be carried.
 */
export function toText(body: Body): Chunks {
  if (body instanceof JsonText) return body.isAscii ? body : chunksOf(escaped(bytesOf(body)))
  const bytes = filled(body)
  if (!isUtf8(bytes)) throw new GatewayError('BODY_NOT_TEXT', 'the body is not UTF-8 text; useBase64 carries any bytes')
  const text = bytes.toString()
  const sent = text.search(escapable) >= 0 && isJson(text) ? escaped(bytes) : bytes
  checkXml(sent === bytes ? text : sent.toString())
  return chunksOf(sent)
}

export function toBase64(body: Body): Chunks {
  return chunksOf(Buffer.from(filled(body).toString('base64')))
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function filled(body: Body): Buffer {
  const bytes = bytesOf(body)
  if (bytes.length === 0) throw new GatewayError('BODY_NOT_TEXT', 'the body is empty, and a message has at least one character')
  return bytes
}

function checkXml(text: string): void {
  const at = text.search(notXml)
  if (at < 0) return
  const character = `U+${text.charCodeAt(at).toString(16).toUpperCase().padStart(4, '0')}`
  throw new GatewayError('BODY_NOT_TEXT', `character ${character} at ${at} cannot be carried as text; useBase64 carries any bytes`)
}

/** JSON has no control characters but as escapes, so these are all that XML cannot carry. */
function escaped(json: Buffer): Buffer {
  const text = json.toString()
  const sent = text.replace(escapable, toEscape)
  return sent === text ? json : Buffer.from(sent)
}

function toEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16)}`
}
