// Parks messages on disk while their target is unavailable, so that messages for other targets pass: a spool for each action of a rule.
import type { ActionRef, Outlet } from '../actions/action.ts'
import type { RuleSet } from '../rules/rule-set.ts'
import type { DurableSpool } from '../spool/spool.ts'
import { type ParkableSink, ParkedMessages, type ParkedMessagesDeps } from './parked-messages.ts'
import { currentRef, nameOf, refOf } from './parked-names.ts'

/*
   spool ─▶ rules ─┬─ the target is available, or holds less than its share ─────────▶ target
                   └─ else ─▶ parked: written after the messages parked before ─▶ read ─▶ target        the spool may forget the message

   While messages are parked for an action, all its messages are parked, so none overtakes another. When few are left and the target
   is available, new messages wait in memory for those few, and are then delivered directly.
*/
export interface ParkingOptions extends Pick<ParkedMessagesDeps, 'clock' | 'observe' | 'maxHeld' | 'maxHeldBytes'> {
  /** The spool of one action, not started. It has no size limit: `maxBytes` limits all parked messages together. */
  open(name: string): DurableSpool
  /** Names of the spools that an earlier run left. */
  names(): Promise<readonly string[]>
  rename(from: string, to: string): Promise<void>
  /** Of all parked messages. */
  readonly maxBytes: number
}

/** Parks messages that the target of the sink cannot take. */
export function withParking(sink: ParkableSink, parked: ParkedMessages): Outlet {
  return {
    action: sink.action,
    ref: parked.ref,
    deliver: (delivery, signal, done) => parked.deliver(sink, delivery, signal, done),
    deliverParked: (delivery, signal, done) => parked.deliverParked(sink, delivery, signal, done),
    ...(sink.stop && { stop: () => sink.stop!() }),
  }
}

/** The parked messages of all actions. */
export class Parking {
  readonly #options: ParkingOptions
  readonly #byName = new Map<string, ParkedMessages>()
  readonly #spools = new Set<DurableSpool>()
  /** Those of an earlier run, until everything that it left in the main spool has been dispatched. */
  #recovered: ParkedMessages[] = []
  #moving = 0
  #hasStopped = false
  #onSpool: (parked: ParkedMessages) => void = () => {}

  constructor(options: ParkingOptions) {
    this.#options = options
  }

  /** Written and not settled. */
  get messages(): number {
    return this.#sum('messages')
  }

  /** On their way from the main spool to a parking spool. They count in either while the move is in progress. */
  get moving(): number {
    return this.#moving
  }

  /** The parked messages of one action. Outlets that replace one another when rules are read again share them. */
  of(ref: ActionRef): ParkedMessages {
    const name = nameOf(ref)
    const known = this.#byName.get(name)
    if (known) return known
    const parked = new ParkedMessages(ref, {
      ...this.#options,
      begin: () => this.#begin(name),
      isBegun: () => this.#onSpool(parked),
      hasRoom: () => this.#sum('bytes') < this.#options.maxBytes,
      moving: (change) => {
        this.#moving += change
      },
    })
    this.#byName.set(name, parked)
    return parked
  }

  /** Opens the spools of an earlier run. Calls back for each spool that is to be read, now and later. */
  async start(rules: RuleSet, onSpool: (parked: ParkedMessages) => void): Promise<void> {
    this.#onSpool = onSpool
    const names = await this.#options.names()
    for (const name of names) {
      const found = refOf(name)
      if (!found) continue
      const ref = currentRef(found, rules, names)
      if (ref !== found) await this.#options.rename(name, nameOf(ref))
      const spool = await this.#open(nameOf(ref))
      const parked = this.of(ref)
      parked.recover(spool)
      this.#recovered.push(parked)
      onSpool(parked)
    }
  }

  /** All messages that were in the main spool at the start have been dispatched, or the pipeline stops. */
  caughtUp(): void {
    for (const parked of this.#recovered) parked.catchUp()
    this.#recovered = []
  }

  async stop(): Promise<void> {
    this.#hasStopped = true
    await Promise.all([...this.#spools].map((spool) => spool.stop()))
  }

  async #begin(name: string): Promise<DurableSpool> {
    const spool = await this.#open(name)
    if (this.#hasStopped) await spool.stop()
    return spool
  }

  async #open(name: string): Promise<DurableSpool> {
    const spool = this.#options.open(name)
    await spool.start()
    this.#spools.add(spool)
    return spool
  }

  #sum(of: 'messages' | 'bytes'): number {
    let total = 0
    for (const spool of this.#spools) total += spool.depth()[of]
    return total
  }
}
