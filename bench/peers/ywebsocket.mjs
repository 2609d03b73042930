// The reference y-websocket server: node ywebsocket.mjs PORT
process.env.PORT = process.argv[2]
process.env.HOST = '127.0.0.1'
await import('./node_modules/@y/websocket-server/src/server.js')
