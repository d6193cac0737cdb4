// A rule action delivers one body to one target and reports whether the target accepted it.
import type { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import type { Aws } from '../aws/clients.ts'
import type { Broker } from '../broker/broker.ts'
import { GatewayError, textOf } from '../errors.ts'
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

/** `moved`: the message is parked on disk for an unavailable target. An error: the delivery failed. */
export type DeliveryResult = 'accepted' | 'moved' | GatewayError

/** Called once for each delivery. */
export type Done = (result: DeliveryResult) => void

/**
 * Delivers bodies to targets. A sink may batch: each caller still gets the result of its own body. `deliver` calls back instead of
 * returning a promise, because thousands of deliveries are in flight and promises for each dominated garbage collection.
 */
export interface Sink {
  readonly action: string
  deliver(delivery: Delivery, signal: AbortSignal, done: Done): void
  /** true: the target does not answer, so a delivery waits until it does. With a delivery: the target of that delivery. */
  isUnavailable?(delivery?: Delivery): boolean
  /** Finishes the deliveries that it was given. */
  stop?(): Promise<void>
}

/** An action with the parameters of its rule. Order, retries and parking are added around it (delivery/outlet.ts). */
export interface BoundAction extends Sink {
  /** Deliveries with the same order key are made one after another. undefined: in any order. */
  orderOf?(delivery: Delivery): string | undefined
  /** The full name of the target of this delivery: one queue may be missing while others accept. */
  targetOf?(delivery: Delivery): string
  /** The template that names the targets. Absent: the target is fixed. */
  readonly pattern?: string
  /** For templates: the target of this delivery accepts, so the delivery need not wait for other targets. */
  isFree?(delivery: Delivery): boolean
  /** true: the action retries by itself, and its errors are final. */
  readonly ownRetries?: boolean
}

/** Names one action of a rule. It stays the same when actions are added to the rule's file or moved in it. */
export interface ActionRef {
  readonly rule: string
  /** `<name of the action>.<hash of its target>` (ref.ts). */
  readonly action: string
}

/** An outlet delivers the messages of one action of a rule, and parks them while the target is unavailable (delivery/outlet.ts). */
export interface Outlet extends Sink {
  readonly ref: ActionRef
  /** Delivers a message that was parked, and never parks it again. */
  deliverParked(delivery: Delivery, signal: AbortSignal, done: Done): void
}

/** For actions that can afford a promise for each delivery. */
export function fromPromise(deliver: (delivery: Delivery, signal: AbortSignal) => Promise<void>): Sink['deliver'] {
  return (delivery, signal, done) => callBack(deliver(delivery, signal), signal, done)
}

/** Calls back with the result of the promise. */
export function callBack(outcome: Promise<void>, signal: AbortSignal, done: Done): void {
  outcome.then(
    () => done('accepted'),
    (error) => done(toGatewayError(error, signal)),
  )
}

/** Rejects with the GatewayError of the result, or with what the call throws. */
export function toPromise(call: (done: Done) => void): Promise<'accepted' | 'moved'> {
  return new Promise((resolve, reject) => {
    call((result) => (typeof result === 'string' ? resolve(result) : reject(result)))
  })
}

/** An error that is not a GatewayError is the reason of an abort, or else a fault of the gateway: INTERNAL, which is final. */
export function toGatewayError(error: unknown, signal?: AbortSignal): GatewayError {
  if (error instanceof GatewayError) return error
  return signal?.aborted ? abandoned() : new GatewayError('INTERNAL', textOf(error), { cause: error })
}

/** true: one entry of the call is at fault, and the others may be accepted without it. */
export function blamesEntry({ code, retryable }: GatewayError): boolean {
  return !retryable && code !== 'INTERNAL'
}

/** The result of a delivery whose signal aborted: the target may or may not have accepted it. */
export function abandoned(): GatewayError {
  return new GatewayError('ACTION_FAILED', 'the delivery was abandoned before the target answered')
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
  bind(params: P, deps: ActionDeps): BoundAction
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
