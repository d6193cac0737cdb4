// What every broker promises, whether it lives inside the gateway or on the other side of a network.
import type { Duplex } from 'node:stream'
import type { Message, Source } from '../message.ts'

/** Resolves once the message is safely ours. Whoever called may acknowledge then, and not before. */
export type Ingest = (message: Message) => Promise<void>

export interface Peer {
  readonly transport: Source['transport']
  readonly sourceIp?: string
  readonly certificate?: string
}

export interface Broker {
  /** Subscribers get the message, and Ingest sees it exactly once. Resolves when Ingest has. */
  publish(message: Message): Promise<void>
  /** A device connection; only the embedded broker has one. */
  accept?(stream: Duplex, peer: Peer): void
  start(): Promise<void>
  stop(): Promise<void>
}
