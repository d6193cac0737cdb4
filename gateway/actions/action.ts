// What a rule action is: something that delivers one body to one target, and says honestly how that went.
import type { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import type { Aws } from '../aws.ts'
import type { Broker } from '../broker/broker.ts'
import type { Message } from '../message.ts'
import type { Observe } from '../observe/observe.ts'

export interface Delivery {
  readonly message: Message
  readonly rule: string
  /** The rule's result as bytes: JSON text, or the raw payload where the statement passes it through. */
  readonly body: Uint8Array
  /** The same for every attempt, also after a restart: `<message id>.<rule>.<index of the action>`. */
  readonly key: string
  /** What templates are evaluated on; opaque to actions. */
  readonly scope: unknown
}

/** A parameter such as `alerts-${topic(3)}`, compiled when the rule was loaded [AWS iot-substitution-templates]. */
export type Template = (delivery: Delivery) => string

/**
 * Resolves when the target has accepted; rejects with a GatewayError that knows whether trying again can help.
 * Batching, if any, is the sink's private matter: every caller learns its own body's fate.
 */
export interface Sink {
  readonly action: string
  deliver(delivery: Delivery, signal: AbortSignal): Promise<void>
  /** true: a target of it does not answer, so what is handed over now waits until it does. */
  isAway?(): boolean
  /** Finishes what was handed over. */
  stop?(): Promise<void>
}

/** What an action binds to: a sink as its target is, without the order and the retries that every sink gets in index.ts. */
export interface Target extends Sink {
  /** Deliveries with the same order key are made one after another; undefined: in any order. */
  orderOf?(delivery: Delivery): string | undefined
  /** Where this delivery goes, as far as being away is concerned: one queue may be missing while others are well. */
  targetOf?(delivery: Delivery): string
}

export interface ActionDeps {
  readonly broker: Pick<Broker, 'publish'>
  readonly aws: Aws
  readonly clock: Clock
  readonly random: () => number
  readonly observe: Observe
  readonly fetch: typeof fetch
  /** Compiles a parameter that may hold `${…}`. Throws RULE_INVALID where it does not parse. */
  readonly template: (text: string) => Template
}

export interface ActionKind<P> {
  readonly summary: string
  readonly params: z.ZodType<P>
  /** true: the action keeps retry rules of its own, and what it rejects with is final. */
  readonly ownRetries?: boolean
  bind(params: P, deps: ActionDeps): Target
}
