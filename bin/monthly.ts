// Dollars of a month at the present rates, for the dashboard: the gateway knows rates, the cost report knows prices.
import { toUsd } from '../cost/money.ts'
import { priceUsage } from '../cost/price.ts'
import { loadPriceBook } from '../cost/price-book.ts'
import type { GatewayOptions } from '../gateway/gateway.ts'

const minutesPerMonth = 30 * 24 * 60
const secondsPerMonth = minutesPerMonth * 60

/** What AWS would bill: every message one step of 5 KB, every delivery to SQS a request of its own, no free tier. */
export function createMonthlyDollars(): NonNullable<GatewayOptions['monthlyDollars']> {
  const book = loadPriceBook('us-east-1')
  return ({ connections, messages, rules, actions, sent }) => {
    const usage = {
      'iotCore.connectionMinutes': Math.round(connections * minutesPerMonth),
      'iotCore.messages': Math.round(messages * secondsPerMonth),
      'iotCore.rulesTriggered': Math.round(rules * secondsPerMonth),
      'iotCore.actionsExecuted': Math.round(actions * secondsPerMonth),
      'sqs.standardRequests': Math.round(sent * secondsPerMonth),
    }
    return toUsd(priceUsage(usage, book).totalNanoDollars)
  }
}
