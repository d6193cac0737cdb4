// What runs and what it logs: Lambda, Fargate, EC2, CloudWatch Logs.
import { z } from 'zod'
import { lambdaGBSeconds } from '../metering.ts'
import { amount, count, monthly, service } from './service.ts'

export const lambda = service({
  fields: {
    requestsPerMonth: count,
    requestsPerDeviceDay: count,
    memoryMB: amount,
    durationMs: amount,
    arch: z.enum(['x86_64', 'x86', 'arm64', 'arm']).default('x86_64'),
    ephemeralStorageMB: amount.default(512),
  },
  usage(inputs) {
    const requests = monthly(inputs, inputs.requestsPerMonth, inputs.requestsPerDeviceDay)
    const duration = lambdaGBSeconds(requests, inputs.memoryMB, inputs.durationMs)
    return {
      'lambda.requests': requests,
      [inputs.arch.startsWith('x86') ? 'lambda.durationX86' : 'lambda.durationArm']: duration,
      'lambda.ephemeralStorageOver512MB': lambdaGBSeconds(requests, Math.max(0, inputs.ephemeralStorageMB - 512), inputs.durationMs),
    }
  },
})

export const fargate = service({
  fields: { taskHours: amount, vcpu: amount, memoryGB: amount, arch: z.enum(['x86_64', 'x86', 'arm64', 'arm']).default('x86_64') },
  usage({ taskHours, vcpu, memoryGB, arch }) {
    const prefix = arch.startsWith('x86') ? 'fargate.fargate' : 'fargate.fargateArm'
    return { [`${prefix}VcpuHours`]: taskHours * vcpu, [`${prefix}GbHours`]: taskHours * memoryGB }
  },
})

export const ec2 = service({
  fields: { instanceType: z.string(), instances: amount.default(1), hours: amount.default(730) },
  usage: ({ instanceType, instances, hours }) => ({ [`ec2.${instanceType}`]: instances * hours }),
})

export const cloudWatchLogs = service({
  fields: { ingestedGB: amount.default(0), storedGBMonth: amount.default(0), insightsGB: amount.default(0) },
  usage: ({ ingestedGB, storedGBMonth, insightsGB }) => ({
    'cloudWatchLogs.logsIngestedGB': ingestedGB,
    'cloudWatchLogs.logsStoredGBMonth': storedGBMonth,
    'cloudWatchLogs.insightsScannedGB': insightsGB,
  }),
})
