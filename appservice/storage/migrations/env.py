"""What alembic runs: the migrations, within the connection and the transaction of whoever called."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
