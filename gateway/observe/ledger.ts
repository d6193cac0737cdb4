// The conservation ledger: what came in is somewhere, or the books do not balance.
import type { Metrics } from './metrics.ts'

export interface Ledger {
  /** Messages acknowledged in this run, those of an earlier one that were found on disk (`recovered`), and those that it lost. */
  readonly accepted: number
  readonly recovered: number
  readonly delivered: number
  /** No rule wanted it. */
  readonly unmatched: number
  /** At least one action failed for good; the error action or the log has it. */
  readonly dead: number
  /** Still in the spool. */
  readonly queued: number
  /** Acknowledged, and missing from the disk: in this run, and in earlier ones of the same data directory. */
  readonly lost: number
  /** Messages that had been delivered to some targets while they went on waiting for others: each ends once more than it came in. */
  readonly split: number
  /** Offered and neither acknowledged nor refused yet. */
  readonly pending: number
  readonly refused: Readonly<Record<string, number>>
  readonly shed: Readonly<Record<string, number>>
  /** accepted + split = delivered + unmatched + dead + queued + lost; while messages are pending, each of them may be on either side. */
  readonly balanced: boolean
}

export interface Holdings {
  /** In the spool. */
  readonly queued: number
  /** Appends that have not resolved or rejected yet. */
  readonly pending: number
  /** Missing from the disk; `before`: since an earlier run. Default: none. */
  readonly lost?: number
  readonly before?: number
}

export function createLedger(metrics: Metrics, holdings: () => Holdings): () => Ledger {
  return () => {
    const { queued, pending, lost = 0, before = 0 } = holdings()
    const recovered = metrics.total('message.recovered')
    const accepted = metrics.total('message.accepted') + recovered + before
    const [delivered, unmatched, dead, moved] = ['delivered', 'unmatched', 'dead', 'moved'].map((outcome) =>
      metrics.total('message.settled', { outcome }),
    )
    const split = metrics.total('message.parked') - moved!
    const ledger = { accepted, recovered, delivered: delivered!, unmatched: unmatched!, dead: dead!, queued, lost, split, pending }
    const held = ledger.delivered + ledger.unmatched + ledger.dead + queued + lost
    return {
      ...ledger,
      refused: byCode(metrics, 'message.refused'),
      shed: byCode(metrics, 'message.shed'),
      balanced: accepted + split <= held && held <= accepted + split + pending,
    }
  }
}

function byCode(metrics: Metrics, event: 'message.refused' | 'message.shed'): Readonly<Record<string, number>> {
  return Object.fromEntries(metrics.series(event).map(({ labels, value }) => [labels.code ?? '', value]))
}
