// Load balancers and NAT gateways: hours and the capacity they used.
import { z } from 'zod'
import { albUnits, nlbUnits } from '../metering.ts'
import { amount, service } from './service.ts'

const nlbLoad = z.strictObject({ newPerSecond: amount.default(0), active: amount.default(0), gbPerHour: amount.default(0) }).optional()

export const elb = service({
  fields: {
    lbType: z
      .string()
      .toLowerCase()
      .pipe(z.enum(['alb', 'nlb'])),
    hours: amount.default(730),
    newConnectionsPerSecond: amount.default(0),
    activeConnections: amount.default(0),
    processedGBPerHour: amount.default(0),
    lambdaGBPerHour: amount.default(0),
    ruleEvaluationsPerSecond: amount.default(0),
    tcp: nlbLoad,
    udp: nlbLoad,
    tls: nlbLoad,
  },
  usage({ hours, tcp, udp, tls, ...load }) {
    if (load.lbType === 'alb') return { 'elb.albHours': hours, 'elb.albLcuHours': hours * albUnits(load) }
    const plain = { newPerSecond: load.newConnectionsPerSecond, active: load.activeConnections, gbPerHour: load.processedGBPerHour }
    const named = { ...(tcp && { tcp }), ...(udp && { udp }), ...(tls && { tls }) }
    return { 'elb.nlbHours': hours, 'elb.nlbNlcuHours': hours * nlbUnits(tcp || udp || tls ? named : { tcp: plain }) }
  },
})

export const natGateway = service({
  fields: { hours: amount.default(730), processedGB: amount },
  usage: ({ hours, processedGB }) => ({ 'natGateway.hours': hours, 'natGateway.processedGB': processedGB }),
})
