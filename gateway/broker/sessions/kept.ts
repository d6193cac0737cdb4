// A message that is retained, or waits for clients, as it lies in memory.
import type { MqttProperties } from '../../message/message.ts'
import { compactPayloadBytes, messageBytes } from '../memory.ts'
import type { KeptEntry } from './entry.ts'

type Content = Omit<KeptEntry, 'kind' | 'to' | 'flagged' | 'retained'>

export class Kept {
  readonly number: number
  readonly topic: string
  readonly qos: 0 | 1
  readonly payloadBytes: number
  /** In the account of the broker's memory. */
  readonly bytes: number
  readonly expiresAt: number | undefined
  declare readonly properties?: MqttProperties
  /** One character a byte: the buffer of a small payload would take several times as much as the payload. */
  readonly #payload: string | Buffer
  retained = false
  /** Sessions it is queued for. */
  holders = 0

  /** Copies the bytes: a slice would keep the whole buffer that it was cut from. */
  constructor({ number, topic, qos, payload, properties, expiresAt }: Content) {
    this.number = number
    this.topic = topic
    this.qos = qos
    this.payloadBytes = payload.length
    this.bytes = messageBytes({ topic, payload, ...(properties ? { properties } : {}) })
    this.expiresAt = expiresAt
    this.#payload = payload.length <= compactPayloadBytes ? toBuffer(payload).toString('latin1') : copyOf(payload)
    if (!properties) return
    const { correlationData, ...rest } = properties
    this.properties = correlationData ? { ...rest, correlationData: copyOf(correlationData) } : rest
  }

  get payload(): Buffer {
    return typeof this.#payload === 'string' ? Buffer.from(this.#payload, 'latin1') : this.#payload
  }

  /** For the journal. */
  toEntry(to: readonly string[], flagged: readonly string[]): KeptEntry {
    const { number, topic, qos, payload, retained, properties, expiresAt } = this
    return {
      ...({ kind: 'kept', number, retained, to } as const),
      ...(flagged.length > 0 ? { flagged } : {}),
      ...{ topic, qos, payload },
      ...(properties ? { properties } : {}),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    }
  }
}

const toBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function copyOf(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}
