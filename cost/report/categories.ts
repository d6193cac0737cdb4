// What a line of a bill is for: the parts of the stacked chart and of the table.
import type { LineItem } from '../price.ts'

export const categories = ['connection', 'messages', 'rules', 'queue or function', 'servers', 'data out', 'work'] as const
export type Category = (typeof categories)[number]

const patterns: readonly (readonly [RegExp, Category])[] = [
  [/connectionMinutes$|sessionMinutes$|ConnectionMinutes$/, 'connection'],
  [/^iotCore\.(rulesTriggered|actionsExecuted)$|ruleActions$/, 'rules'],
  [/^(iotCore|apiGateway|hivemqCloud)\./, 'messages'],
  [/^emqxServerless\.trafficGB$|^dataTransfer\./, 'data out'],
  [/^(sqs|sns|lambda)\./, 'queue or function'],
  [/^(elb|ec2|fargate|vpc)\./, 'servers'],
  [/^labour\./, 'work'],
]

export function categoryOf(item: string): Category {
  const found = patterns.find(([pattern]) => pattern.test(item))
  if (!found) throw new Error(`${item} belongs to no part of the bill`)
  return found[1]
}

/** Nano-dollars of each part; parts that cost nothing are zero. */
export function byCategory(lineItems: readonly LineItem[]): Readonly<Record<Category, bigint>> {
  const sums = Object.fromEntries(categories.map((category) => [category, 0n])) as Record<Category, bigint>
  for (const { item, nanoDollars } of lineItems) sums[categoryOf(item)] += nanoDollars
  return sums
}
