// An item as one line of JSON, for the handlers that write text.
import type { Item } from '../queue.ts'

export function toRecord({ key, group, sentAt, receives, attributes, body }: Item, withBody: boolean): string {
  return JSON.stringify({ key, group, sentAt, receives, attributes, bytes: body.byteLength, ...(withBody ? { body: toValue(body) } : {}) })
}

/** JSON where it is JSON, else the text. */
export function toValue(body: Uint8Array): unknown {
  const text = Buffer.from(body).toString()
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
