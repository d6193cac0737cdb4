// A rule action delivers one body to one target and reports whether the target accepted it.
import type { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import type { Aws } from '../aws/clients.ts'
import type { Broker } from '../broker/broker.ts'
import type { Body } from '../message/body.ts'
import type { Message } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'

export interface Delivery {
  readonly message: Message
  readonly rule: string
  readonly body: Body
  /** The same for every attempt, also after a restart: `<message id>.<rule>.<index of the action>`. */
  readonly key: string
  /** What templates are evaluated on; opaque to actions. */
  readonly scope: unknown
}

/** A parameter such as `alerts-${topic(3)}`, compiled when the rule was loaded [AWS iot-substitution-templates]. */
export type Template = (delivery: Delivery) => string

/** Called once: with nothing when the target has accepted, else with a GatewayError that knows whether trying again can help. */
export type Done = (error?: unknown) => void

/**
 * Batching, if any, is the sink's private matter: every caller learns its own body's fate. It is told by a call and not by a promise,
 * because thousands of deliveries are in flight, and a chain of promises for each was most of what the garbage collector had to copy.
 */
export interface Sink {
  readonly action: string
  deliver(delivery: Delivery, signal: AbortSignal, done: Done): void
  /** true: the target does not answer, so what is handed over now waits until it does. With a delivery: its own target. */
  isAway?(delivery?: Delivery): boolean
  /** Of templates: where this delivery goes, in full. */
  targetOf?(delivery: Delivery): string
  /**
   * Of templates: the target of this delivery accepts, and no message for it that must go first is parked. So the delivery need not
   * wait behind those for other targets.
   */
  isFree?(delivery: Delivery, isParked: (target: string) => boolean): boolean
  /** Finishes what was handed over. */
  stop?(): Promise<void>
}

/** What an action binds to: a sink as its target is, without the order and the retries that every sink gets in index.ts. */
export interface Target extends Sink {
  /** Deliveries with the same order key are made one after another; undefined: in any order. */
  orderOf?(delivery: Delivery): string | undefined
  /** Where this delivery goes, in full: one queue may be missing while others are well. */
  targetOf?(delivery: Delivery): string
  /** The template that names the targets; absent: the target is fixed. */
  readonly pattern?: string
}

/** How a promise becomes a call. */
export function report(outcome: Promise<void>, done: Done): void {
  outcome.then(() => done(), done)
}

/** For actions that are not in a hurry. */
export function promised(deliver: (delivery: Delivery, signal: AbortSignal) => Promise<void>): Sink['deliver'] {
  return (delivery, signal, done) => report(deliver(delivery, signal), done)
}

/** The other way round: rejects also when the call throws instead of calling back. */
export function told(call: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error === undefined ? resolve() : reject(error)))
  })
}

/** The last delivery of each FIFO group of a rule. Sinks that replace one another when rules are read anew share it: the new one waits for the old. */
export type Tails = Map<string, Promise<void>>

export interface ActionDeps {
  readonly broker: Pick<Broker, 'publish'>
  readonly aws: Aws
  readonly clock: Clock
  readonly random: () => number
  readonly observe: Observe
  readonly fetch: typeof fetch
  /** Compiles a parameter that may hold `${…}`. Throws RULE_INVALID where it does not parse. */
  readonly template: (text: string) => Template
  /** Messages that the targets of one template may hold while they do not accept. */
  readonly maxHeld: number
  /** By default each sink has its own, and its order ends with it. */
  readonly tails?: Tails
}

/** One row of the table in index.ts: everything that the gateway, the doctor, the docs and templates know about an action. */
export interface ActionKind<P> {
  /** One or two sentences for docs/actions.md. */
  readonly summary: string
  /** What the action delivers to: `queue`, `topic`, `URL`. */
  readonly noun: string
  readonly params: z.ZodType<P>
  /** true: the action retries by itself, and its errors are final. */
  readonly ownRetries?: boolean
  /** The parameter that names the target. undefined: the action has one target for all rules. */
  target(params: P): NamedTarget | undefined
  readonly fromCloudFormation: FromCloudFormation
  bind(params: P, deps: ActionDeps): Target
}

/** A target as a rule file names it: a name, URL, ARN or template. */
export interface NamedTarget {
  /** `queueUrl` */
  readonly param: string
  readonly text: string
}

export type Properties = Readonly<Record<string, unknown>>

/** How an `AWS::IoT::TopicRule` writes the action [AWS CloudFormation, TopicRule Action]. */
export interface FromCloudFormation {
  /** `Sqs` */
  readonly name: string
  /** Returns the parameters of the action here, or why the gateway cannot run it. */
  params(properties: Properties): Properties | string
}
