// Question 1: connection fee against message fee.
import { formatInterval } from '../format.ts'
import { leastCertain } from '../price.ts'
import { loadPriceBook, type Price, priceOf } from '../price-book.ts'
import type { Question } from './answer.ts'

/** Dollars of a million, of a tier. */
const perMillion = ({ per, tiers }: Price, tier = 0) => (Number(tiers[tier]?.nanoDollars ?? Number.NaN) / per) * 1e-3

export const connectionFee: Question = {
  title: 'At what message interval does the connection fee of an always-on MQTT device equal its message fee?',
  answer(workload) {
    const book = loadPriceBook(workload.region)
    const [minutes, messages, rules, actions] = (['connectionMinutes', 'messages', 'rulesTriggered', 'actionsExecuted'] as const).map(
      (name) => priceOf(book, `iotCore.${name}`),
    ) as [Price, Price, Price, Price]
    const processing = perMillion(rules) + perMillion(actions)
    const interval = (fee: number) => (fee / perMillion(minutes)) * 60_000
    const rows = messages.tiers.map(({ upTo, confidence }, tier) => {
      const fee = perMillion(messages, tier)
      const bound = upTo === undefined ? 'above' : `up to ${upTo.toLocaleString('en-US')}`
      return [bound, fee.toFixed(2), formatInterval(interval(fee)), formatInterval(interval(fee + processing)), confidence]
    })
    return {
      formula: 'interval in minutes = steps × price of a message / price of a connection minute, with steps = ⌈(payload + topic) / 5,120⌉',
      inputs: `${workload.region}: ${perMillion(minutes)} USD a million minutes; steps = 1; rule and action ${processing.toFixed(2)} a million messages`,
      labels: 1,
      header: ['messages a month', 'USD a million', 'equal at', 'with rule + action', 'confidence'],
      rows,
      result: `In the first tier the two fees are equal at one message every ${formatInterval(interval(perMillion(messages)))}; a device that sends more often pays mostly for messages. With Basic Ingest only rule and action are left, and the point moves to ${formatInterval(interval(processing))}.`,
      confidence: leastCertain([minutes.confidence, ...messages.tiers.map(({ confidence }) => confidence), rules.confidence]),
      caveat: 'CONNECT packets are left out; the size of the fleet enters only through the tier.',
    }
  },
}
