// What a statement is evaluated on: one message, its payload parsed at most once for all rules, and what the context functions see.
import { isUtf8 } from 'node:buffer'
import type { Message } from '../../message/message.ts'
import { parseJson } from './json.ts'
import { type NumberMode, wholeAsDecimal, wholeAsInt } from './number.ts'
import type { Value } from './value.ts'

export interface Environment {
  /** Twelve digits: the owner of the rule. */
  readonly accountId: string
}

export interface Scope {
  readonly message: Message
  /** Without the Basic Ingest prefix. */
  readonly topic: string
  readonly accountId: string
  /** Undefined when the payload is not JSON. */
  readonly payload: Value
  /** The same as 2015-10-08 reads it: `10.0` stays a Decimal. */
  readonly oldPayload: Value
  readonly json: boolean
  /**
   * The payload where looking through it is still cheaper than parsing it: not parsed yet, not looked through twice already, and short.
   * It may be anything, UTF-8 or not.
   */
  scannable(): Buffer | undefined
  /** Computed once in the life of this scope, for the key's owner. Undefined is a result like any other. */
  remember<T>(key: object, compute: () => T): T
}

const basicIngest = /^\$aws\/rules\/[^/]+\//

/** Cheap: nothing is parsed before a statement asks. */
export function createScope(message: Message, environment: Environment): Scope {
  return new MessageScope(message, environment.accountId)
}

const unread = Symbol('unread')

class MessageScope implements Scope {
  readonly message: Message
  readonly accountId: string
  readonly topic: string
  #payload: Value | typeof unread = unread
  #oldPayload: Value | typeof unread = unread
  #scans = 0
  #remembered: Map<object, unknown> | undefined

  constructor(message: Message, accountId: string) {
    this.message = message
    this.accountId = accountId
    this.topic = message.topic.charCodeAt(0) === 0x24 ? message.topic.replace(basicIngest, '') : message.topic
  }

  get payload(): Value {
    if (this.#payload === unread) this.#payload = this.#parse(wholeAsInt)
    return this.#payload
  }

  get oldPayload(): Value {
    if (this.#oldPayload === unread) this.#oldPayload = this.#parse(wholeAsDecimal)
    return this.#oldPayload
  }

  scannable(): Buffer | undefined {
    const { payload } = this.message
    if (this.#payload !== unread || payload.length > maxScanned || this.#scans++ >= maxScans) return undefined
    return bufferOf(payload)
  }

  #parse(mode: NumberMode): Value {
    const text = textOf(this.message.payload)
    return text === undefined ? undefined : parseJson(text, mode)
  }

  get json(): boolean {
    return this.payload !== undefined
  }

  remember<T>(key: object, compute: () => T): T {
    this.#remembered ??= new Map()
    if (!this.#remembered.has(key)) this.#remembered.set(key, compute())
    return this.#remembered.get(key) as T
  }
}

/** From the third rule on, and for long payloads, parsing once is cheaper than looking through the text again. */
const maxScans = 2
const maxScanned = 16 * 1024

function bufferOf(payload: Uint8Array): Buffer {
  return payload instanceof Buffer ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
}

/** Undefined for bytes that are not UTF-8: text made from them would not be what was sent. */
function textOf(payload: Uint8Array): string | undefined {
  return isUtf8(payload) ? bufferOf(payload).toString() : undefined
}
