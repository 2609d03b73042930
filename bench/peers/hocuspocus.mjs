// Hocuspocus as its documentation starts it: node hocuspocus.mjs PORT [REDIS_PORT]
import { Server } from '@hocuspocus/server'
import { Redis } from '@hocuspocus/extension-redis'

const [port, redisPort] = process.argv.slice(2).map(Number)
const extensions = redisPort ? [new Redis({ host: '127.0.0.1', port: redisPort })] : []
const server = new Server({ port, address: '127.0.0.1', quiet: true, extensions })
await server.listen()
console.log('listening')
