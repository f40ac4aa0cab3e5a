select * from {{ ref('numerical_quantity') }}
