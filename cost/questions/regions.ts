// Question 9: the same answers elsewhere.
import { type WireOf, wireOf } from '../paths.ts'
import { confidences } from '../price-book.ts'
import { parseWorkload, type Workload } from '../workload.ts'
import { againstMqtt } from './against-mqtt.ts'
import { airtimeCosts } from './airtime.ts'
import { describeWorkload, orReason, type Question } from './answer.ts'
import { connectionFee } from './connection-fee.ts'
import { packing } from './packing.ts'
import { payloadSteps } from './payload-steps.ts'
import { queueCosts } from './queues.ts'
import { selfHosted } from './self-hosted.ts'
import { volumeTiers } from './volume-tiers.ts'

const home = 'us-east-1'
const elsewhere = ['eu-west-1', 'eu-central-1'] as const
const asked = [connectionFee, againstMqtt, payloadSteps, volumeTiers, packing, selfHosted, queueCosts, airtimeCosts]
const absent = 'no turn'

export const regions: Question = {
  title: `Which of these answers change in ${elsewhere.join(' and ')}?`,
  answer(workload, wires = wireOf) {
    const [here, ...there] = [home, ...elsewhere].map((region) => figures(parseWorkload({ ...workload, region }), wires))
    const all = [...new Set([here!, ...there].flatMap((map) => [...map.keys()]))]
    const rows = all.map((key) => [
      key,
      here!.get(key) ?? absent,
      ...there.map((map) => map.get(key) ?? map.get(key.split(':')[0]!) ?? absent),
    ])
    const isPriced = (cell: string) => !cell.includes('not priced')
    const summary = elsewhere.map((region, i) => {
      const cells = rows.map((row) => [row[1]!, row[2 + i]!] as const)
      const priced = cells.filter(([, cell]) => isPriced(cell))
      return `${region}: ${priced.filter(([before, cell]) => before !== cell).length} change, ${cells.length - priced.length} cannot be told for want of a price`
    })
    return {
      formula: 'questions 1 to 8 again, with the book of each region, row by row',
      inputs: describeWorkload(workload),
      labels: 1,
      header: ['question and row', home, ...elsewhere],
      rows: rows.filter(([, before, ...cells]) => cells.some((cell) => cell !== before && isPriced(cell))),
      result: `Of ${rows.length} rows, ${summary.join('; ')}. Where every price of both paths rises by one factor, no crossover moves.`,
      confidence: 'inferred',
      caveat:
        'Later message tiers, rules and actions of eu-west-1 are taken as equal to us-east-1; of eu-central-1 no price of SQS, API Gateway or servers was found.',
    }
  },
}

/** A price can be as high and less sure: that is no change of an answer. */
const isFigure = (cell: string) => !(confidences as readonly string[]).includes(cell)

/** Every row of every question under its name, or one reason under the question alone. */
function figures(workload: Workload, wires: WireOf): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [i, question] of asked.entries()) {
    const reason = orReason(() => {
      const { rows, labels } = question.answer(workload, wires)
      for (const row of rows) found.set(`${i + 1}: ${row.slice(0, labels).join(', ')}`, row.slice(labels).filter(isFigure).join(' · '))
      return ''
    })
    if (reason) found.set(`${i + 1}`, reason)
  }
  return found
}
