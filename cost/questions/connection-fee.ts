// Question 1: connection fee against message fee.
import { PriceMissing } from '../errors.ts'
import { formatInterval } from '../format.ts'
import { leastCertain } from '../price.ts'
import { loadPriceBook, type Price, priceOf } from '../price-book.ts'
import type { Question } from './answer.ts'

/** Dollars of a million, of a tier. */
function perMillion({ item, per, tiers, note }: Price, region: string, tier = 0): number {
  const nanoDollars = tiers[tier]!.nanoDollars
  if (nanoDollars === undefined) throw new PriceMissing(item, region, note)
  return (Number(nanoDollars) / per) * 1e-3
}

export const connectionFee: Question = {
  title: 'At what message interval does the connection fee of an always-on MQTT device equal its message fee?',
  answer(workload) {
    const { region } = workload
    const book = loadPriceBook(region)
    const [minutes, messages, rules, actions] = (['connectionMinutes', 'messages', 'rulesTriggered', 'actionsExecuted'] as const).map(
      (name) => priceOf(book, `iotCore.${name}`),
    ) as [Price, Price, Price, Price]
    const processing = perMillion(rules, region) + perMillion(actions, region)
    const interval = (fee: number) => (fee / perMillion(minutes, region)) * 60_000
    const rows = messages.tiers.map(({ upTo, confidence }, tier) => {
      const fee = perMillion(messages, region, tier)
      const bound = upTo === undefined ? 'above' : `up to ${upTo.toLocaleString('en-US')}`
      return [bound, fee.toFixed(2), formatInterval(interval(fee)), formatInterval(interval(fee + processing)), confidence]
    })
    return {
      formula: 'interval in minutes = steps × price of a message / price of a connection minute, with steps = ⌈(payload + topic) / 5,120⌉',
      inputs: `${region}: ${perMillion(minutes, region)} USD a million minutes; steps = 1; rule and action ${processing.toFixed(2)} a million messages`,
      labels: 1,
      header: ['messages a month', 'USD a million', 'equal at', 'with rule + action', 'confidence'],
      rows,
      result: `In the first tier the two fees are equal at one message every ${formatInterval(interval(perMillion(messages, region)))}; a device that sends more often pays mostly for messages. With Basic Ingest only rule and action are left, and the point moves to ${formatInterval(interval(processing))}.`,
      confidence: leastCertain([minutes.confidence, ...messages.tiers.map(({ confidence }) => confidence), rules.confidence]),
      caveat: 'CONNECT packets are left out; the size of the fleet enters only through the tier.',
    }
  },
}
