// Question 10: what the answers rest on that nobody could verify.
import { basisOf, wireOf } from '../paths.ts'
import { loadPriceBook } from '../price-book.ts'
import type { Question } from './answer.ts'

/** Rules of metering, apart from prices, and the questions and paths they touch. */
type Rule = readonly [rule: string, touches: string, confidence: 'inferred' | 'recalled' | 'medium']

const rules: readonly Rule[] = [
  ['5 KB is 5,120 bytes and 32 KB is 32,768', '3, 5; every path near a step', 'inferred'],
  ['HTTPS publishes on IoT Core have no connection minutes', '2, 9; iot-https', 'inferred'],
  ['successful HTTPS responses of IoT Core are not metered (texts differ by age)', '2, 9; iot-https', 'inferred'],
  ['a rule is sized by the payload without the topic', '2, 5; paths with a rule', 'inferred'],
  ['data transfer out of IoT Core is free', '2, 6; every comparison with data transfer', 'recalled'],
  ['opening a WebSocket connection is no message; the application’s pings are', '2, 3; api-websocket', 'inferred'],
  ['TLS capacity of an NLCU is 3,000 connections', 'weir cost price with TLS listeners only', 'recalled'],
  ['EMQX meters traffic without TCP/IP headers', '4; emqx-serverless', 'inferred'],
  ['connections and messages a second of a node are assumed', '6; weir-ec2, weir-fargate, alb-weir', 'inferred'],
  ['a data session ends after five minutes of silence', '8', 'inferred'],
]

const wireRules = {
  modelled: ['bytes on the wire are modelled', '2 with data transfer, 6, 8', 'inferred'],
  'partly measured': [
    'bytes on the wire are measured for some protocols and modelled for others',
    '2 with data transfer, 6, 8',
    'inferred',
  ],
  measured: [
    'bytes on the wire are measured over loopback, and shifted by the model for other sizes',
    '2 with data transfer, 6, 8',
    'inferred',
  ],
} as const satisfies Record<ReturnType<typeof basisOf>, Rule>

export const unverifiedRules = (basis: ReturnType<typeof basisOf>): readonly Rule[] => [...rules, wireRules[basis]]

/** Which questions an item enters. */
const touched: readonly (readonly [RegExp, string])[] = [
  [/^iotCore\.(conn|mess|rules|actions)/, '1, 2, 3, 4, 5, 6, 9'],
  [/^apiGateway\./, '2, 3, 4, 9'],
  [/^sqs\./, '2, 6, 7'],
  [/^lambda\./, '7'],
  [/^(elb|vpc|fargate|ec2)\./, '6'],
  [/^dataTransfer\.internetOut/, '2, 6'],
  [/^emqxServerless\./, '4'],
]

export const unverified: Question = {
  title: 'Which of these answers rest on a price or rule that is not verified?',
  answer(workload, wires = wireOf) {
    const stated = unverifiedRules(basisOf(wires, workload))
    const { prices, region } = loadPriceBook(workload.region)
    const doubtful = Object.values(prices).flatMap(({ item, tiers, note }) => {
      const where = touched.find(([pattern]) => pattern.test(item))?.[1]
      const weak = tiers.filter(({ confidence }) => confidence !== 'verified')
      if (where === undefined || weak.length === 0) return []
      const part = weak.length < tiers.length ? ` (tier ${tiers.findIndex(({ confidence }) => confidence !== 'verified') + 1} on)` : ''
      return [[`price of ${item}${part}${note ? `: ${note}` : ''}`, where, weak[0]!.confidence]]
    })
    return {
      formula: 'every tier of every price that an answer uses, and every rule behind it',
      inputs: `price book of ${region}`,
      labels: 2,
      header: ['rests on', 'questions and paths', 'confidence'],
      rows: [...stated, ...doubtful],
      result: `${stated.length} rules and ${doubtful.length} prices of ${region} that enter an answer are not verified.`,
      confidence: 'verified',
    }
  },
}
