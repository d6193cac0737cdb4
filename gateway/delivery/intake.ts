// The only way into the gateway: appends a message to the spool, and counts it as accepted or refused.
import type { Ingest } from '../broker/broker.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { BatchPromise } from '../message/batch-promise.ts'
import { type Message, transports } from '../message/message.ts'
import type { Fields } from '../observe/events.ts'
import type { Observe } from '../observe/observe.ts'
import type { Spool } from '../spool/spool.ts'
import { fieldsOf } from './fields.ts'

/** The messages of one commit batch. `booked` is the promise that all of them get. */
interface Batch {
  readonly appended: BatchPromise
  readonly messages: Message[]
  readonly booked: BatchPromise
}

export class Intake {
  readonly #spool: Spool
  readonly #observe: Observe
  /** The batch of the message appended last, until it is durable. */
  #batch: Batch | undefined
  #pending = 0
  #isClosed = false

  constructor(spool: Spool, observe: Observe) {
    this.#spool = spool
    this.#observe = observe
  }

  /** Messages that are neither accepted nor refused yet. */
  get pending(): number {
    return this.#pending
  }

  /** Resolves when the message may be acknowledged. Rejects with STOPPING after `close`, or with the error of the spool. */
  readonly ingest: Ingest = (message) => {
    this.#pending++
    const appended = this.#isClosed ? Promise.reject(stopping()) : this.#spool.append(message)
    if (this.#batch?.appended === appended) {
      this.#batch.messages.push(message)
      return this.#batch.booked
    }
    const messages = [message]
    const booked = appended.then(
      () => this.#accepted(messages),
      (error) => {
        this.#refused(messages, error)
        throw error
      },
    )
    this.#batch = { appended, messages, booked }
    return booked
  }

  /** Refuses all messages from now on. */
  close(): void {
    this.#isClosed = true
  }

  #accepted(messages: readonly Message[]): void {
    this.#leave(messages)
    for (let i = 0; i < messages.length; ) {
      const { transport } = messages[i]!.source
      let count = 1
      while (messages[++i]?.source.transport === transport) count++
      this.#observe.record('message.accepted', count === 1 ? acceptedOver[transport] : { transport, count })
    }
  }

  #refused(messages: readonly Message[], error: unknown): void {
    this.#leave(messages)
    for (const message of messages) {
      this.#observe.record(message.qos === 0 ? 'message.shed' : 'message.refused', refusal(message, error))
    }
  }

  #leave(messages: readonly Message[]): void {
    if (this.#batch?.messages === messages) this.#batch = undefined
    this.#pending -= messages.length
  }
}

const acceptedOver = fieldsOf('transport', transports)

function refusal({ topic, source: { clientId, transport, tenant } }: Message, error: unknown): Fields {
  const fields = { code: codeOf(error, 'SPOOL_FAILED'), clientId, transport, topic, detail: textOf(error) }
  return tenant === undefined ? fields : { ...fields, tenant }
}

function stopping(): GatewayError {
  return new GatewayError('STOPPING', 'the gateway is shutting down')
}
