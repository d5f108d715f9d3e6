import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";

const server = new ApolloServer({
  typeDefs: `
    type Query { hello(name: String!): String! ip: String }
    type Mutation { json(value: Int!): Int! }
  `,
  resolvers: {
    Query: { hello: (_, { name }) => `hello ${name}`, ip: (_, __, { address }) => address },
    Mutation: { json: (_, { value }) => value },
  },
});
await startStandaloneServer(server, {
  context: async ({ req }) => ({ address: req.socket.remoteAddress }),
  listen: { port: Number(process.env.PORT || 3000) },
});
